//! Runs the commands of docs/runbooks.md where two pods of the manifests run and have answered reviews. The emergency stop and
//! the ways back have tests of their own, here in `running` and with Helm in `chart::released`.

use std::path::Path;

use super::Installed;
use crate::alerts::runbooks::blocks;
use crate::bed::wait_until;

#[test]
fn what_the_runbooks_say_can_be_typed() {
    let Some(installed) = Installed::guarding() else { return };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let blocks = blocks().into_iter().filter(|block| block.can_be_typed());
    for block in blocks.filter(|block| block.section != "Emergency stop") {
        // What one block has taken away the process makes again, in a moment.
        let typed = wait_until(super::TIMEOUT, &block.script, || {
            installed.bed.shell_in(root, &block.script).checked()
        });
        typed.unwrap_or_else(|error| panic!("{}: {error:#}\n{}", block.section, installed.said()));
    }
    // None of it has left anything broken.
    installed.until_guarded();
}
