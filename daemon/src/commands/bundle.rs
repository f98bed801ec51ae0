//! `twinwall support-bundle`: has the agent gather it, and writes it to a file that only its
//! owner may read.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use twinwall::agent::api::bundle::PATH;
use twinwall::agent::clock::unix_ms;
use twinwall::failure::Failure;

use crate::api_client::Api;
use crate::cli::SupportBundleArgs;
use crate::show::print;

pub(super) fn support_bundle(root: &Path, args: &SupportBundleArgs) -> Result<(), Failure> {
    let bytes = Api::of(root).fetch(PATH)?;
    let own = || PathBuf::from(format!("twinwall-support-{}.tar.gz", unix_ms() / 1000));
    let path = args.file.clone().unwrap_or_else(own);
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    let written = file.and_then(|mut file| {
        file.write_all(&bytes)?;
        file.sync_all()
    });
    written.map_err(|error| Failure::machine(format!("writing {}", path.display()), &error))?;
    print(&format!(
        "{}: {} KiB. Secrets are hidden; addresses and names are in it: look before you send it.\n",
        path.display(),
        bytes.len() / 1024
    ))
}
