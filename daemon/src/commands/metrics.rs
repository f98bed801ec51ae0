//! `twinwall metrics`: the text that Prometheus reads.

use std::path::Path;

use twinwall::agent::api::metrics::PATH;
use twinwall::failure::Failure;

use crate::api_client::Api;
use crate::show::print_raw;

pub(super) fn metrics(root: &Path) -> Result<(), Failure> {
    let text = Api::of(root).fetch(PATH)?;
    print_raw(&String::from_utf8_lossy(&text))
}
