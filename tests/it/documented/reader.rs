//! A simulated reader, who runs the commands of a page word for word.

use std::time::Duration;

use anyhow::ensure;

use super::blocks::{Block, Step, fits};
use super::blocks_of;
use crate::bed::{Output, wait_until};

/// How long it may take until an answer is as the page says, on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Where a reader sits.
pub(super) trait Reader {
    /// Types a command in.
    fn types(&mut self, command: &str) -> Output;

    /// What happens in the world after a command that changed something, before the next one is typed.
    fn afterwards(&mut self, _command: &str) {}

    /// What has to be true in the end.
    fn ends(&mut self) {}
}

/// Types in every block of these parts that carries no mark.
pub(super) fn follow(parts: &[&str], reader: &mut dyn Reader) {
    let blocks = parts.iter().flat_map(|part| blocks_of(part));
    for block in blocks.filter(|block| block.mark.is_none()) {
        for step in &block.steps {
            take(&block, step, reader);
        }
    }
    reader.ends();
}

fn take(block: &Block, step: &Step, reader: &mut dyn Reader) {
    let place = &block.place;
    let Some(answer) = &step.answer else {
        let output = reader.types(&step.command);
        assert!(output.succeeded(), "{place}: {output}");
        reader.afterwards(&step.command);
        return;
    };
    // Both streams, as a terminal mixes them.
    let command = format!("exec 2>&1\n{}", step.command);
    if changes_nothing(&step.command) {
        let shown = wait_until(TIMEOUT, &format!("{place} shows what it says"), || {
            let output = reader.types(&command);
            ensure!(fits(answer, &output.stdout), "the page says\n{answer}\nand {output}");
            Ok(())
        });
        shown.unwrap_or_else(|error| panic!("{error:#}"));
    } else {
        let output = reader.types(&command);
        assert!(
            fits(answer, &output.stdout),
            "{place}: the page says\n{answer}\nand {output}"
        );
        reader.afterwards(&step.command);
    }
}

/// Whether a command may be typed in again and again, as people do who wait for something.
fn changes_nothing(command: &str) -> bool {
    let asks = [
        "kubectl get ",
        "kubectl describe ",
        "kubectl auth ",
        "kubectl diff ",
        "kubectl events ",
        "curl ",
    ];
    command.contains("--dry-run=server") || asks.iter().any(|start| command.starts_with(start))
}

#[test]
fn what_changes_something_is_typed_in_once() {
    assert!(changes_nothing("kubectl get pods"));
    assert!(changes_nothing("kubectl apply --dry-run=server -f x"));
    for command in [
        "kubectl apply -f x",
        "kubectl delete pod x",
        "helm upgrade x",
        "kubectl scale x",
    ] {
        assert!(!changes_nothing(command), "{command}");
    }
}
