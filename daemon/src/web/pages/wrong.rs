//! What is wrong with a form, each beside its field: made of a refusal, used by the pages that
//! have forms.

use crate::agent::api::error::{Code, Detail, Refusal};

/// Nothing, or why the form was refused.
#[derive(Default)]
pub(super) struct Wrong(Option<Refusal>);

impl Wrong {
    pub(super) fn of(refusal: Refusal) -> Wrong {
        Wrong(Some(refusal))
    }

    /// Whether anything is: then nothing was done.
    pub(super) fn is_any(&self) -> bool {
        self.0.is_some()
    }

    /// What is wrong with this field.
    pub(super) fn at(&self, place: &str) -> Option<&str> {
        let details = self.0.as_ref().map_or(&[][..], |refusal| &refusal.details);
        details.iter().find(|it| it.place == place).map(|it| it.message.as_str())
    }

    /// What belongs to no field.
    pub(super) fn rest(&self) -> Option<&str> {
        let refusal = self.0.as_ref().filter(|refusal| refusal.details.is_empty());
        refusal.map(|refusal| refusal.message.as_str())
    }
}

/// A mistake at one field.
pub(super) fn at(place: &str, message: &str) -> Refusal {
    let details = vec![Detail { place: place.to_owned(), message: message.to_owned() }];
    Refusal { code: Code::Invalid, message: message.to_owned(), details }
}
