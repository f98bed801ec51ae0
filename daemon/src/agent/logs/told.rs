//! What the threads of the logs say of themselves, where others see it: the newest numbers for
//! whoever follows, how far lines are durable for the sender, and the view.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::store::Writer;
use super::view::{LogsView, OriginView, SourceView};

/// See the module.
#[derive(Debug)]
pub(super) struct Told {
    /// Numbers of the newest lines, here and there; 0 for none.
    pub(super) newest: watch::Sender<[u64; 2]>,
    /// Number of the first line of this node that is not durable yet.
    pub(super) durable: watch::Sender<u64>,
    view: Mutex<LogsView>,
}

impl Default for Told {
    fn default() -> Told {
        Told {
            newest: watch::Sender::new([0; 2]),
            durable: watch::Sender::new(0),
            view: Mutex::default(),
        }
    }
}

impl Told {
    pub(super) fn view(&self) -> LogsView {
        self.lock().clone()
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut LogsView)) {
        change(&mut self.lock());
    }

    /// How this node's own lines stand.
    pub(super) fn here(&self, writer: &Writer, sources: Vec<SourceView>, trouble: Option<String>) {
        self.change(|view| {
            set(&mut view.here, writer);
            (view.here.sources, view.here.trouble) = (sources, trouble);
        });
        self.set_newest(0, writer);
        let durable = writer.durable();
        self.durable.send_if_modified(|was| std::mem::replace(was, durable) != durable);
    }

    /// How the other node's do.
    pub(super) fn there(&self, writer: &Writer) {
        self.change(|view| set(&mut view.there, writer));
        self.set_newest(1, writer);
    }

    fn set_newest(&self, which: usize, writer: &Writer) {
        let newest = if writer.written() > writer.first() { writer.written() - 1 } else { 0 };
        self.newest.send_if_modified(|was| std::mem::replace(&mut was[which], newest) != newest);
    }

    fn lock(&self) -> MutexGuard<'_, LogsView> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn set(view: &mut OriginView, writer: &Writer) {
    (view.first, view.last) = (writer.first(), writer.written().saturating_sub(1));
    (view.kept, view.bytes, view.dropped) = (writer.kept(), writer.bytes(), writer.dropped());
}
