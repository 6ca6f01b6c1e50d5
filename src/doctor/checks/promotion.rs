//! Names the namespaces that could enforce today. It never finds anything wrong: to enforce is a decision of people.

use super::View;
use super::namespaces::sent;
use crate::api::labels::MODE;
use crate::doctor::commands::word;
use crate::doctor::facts::{Namespace, Readiness};
use crate::doctor::finding::{Outcome, skip};
use crate::policy::{Mode, ModeWish, RuleSet};

/// How many namespaces one command names.
const MAX_NAMED: usize = 20;

pub(super) fn enforceable(view: &View<'_>) -> Outcome {
    view.webhook_is_wanted()?;
    let rulebook = view.setup.rulebook;
    if rulebook.set == RuleSet::Upstream {
        return skip("with --rules upstream no namespace enforces by itself");
    }
    if rulebook.mode == Mode::Enforcing {
        return Ok("every namespace that opted in enforces".to_owned());
    }
    let sent = sent(view)?;
    view.facts.personas.needed("there is no definition of them")?;
    let open = sent
        .into_iter()
        .filter(|namespace| !namespace.terminating && !enforces(namespace));
    let (ready, others): (Vec<&Namespace>, Vec<&Namespace>) = open.partition(|namespace| is_ready(view, namespace));
    let why = "kubectl get persona --all-namespaces --output wide says which personas are not ready";
    let Some(first) = ready.first() else {
        return Ok(match others.is_empty() {
            true => "every namespace that opted in enforces".to_owned(),
            false => format!("no namespace could enforce yet; {why}"),
        });
    };
    let named: Vec<String> = ready
        .iter()
        .take(MAX_NAMED)
        .map(|namespace| word(&namespace.name))
        .collect();
    let command = view.commands.kubectl(format_args!(
        "label namespace {} {MODE}=enforcing --overwrite",
        named.join(" ")
    ));
    let who = match ready.len() {
        1 => first.name.clone(),
        count => format!("{count} namespaces"),
    };
    let rest = match others.len() {
        0 => String::new(),
        count => format!("   # {count} more could not yet; {why}"),
    };
    Ok(format!("{who} could enforce today: {command}{rest}"))
}

fn enforces(namespace: &Namespace) -> bool {
    let wish = ModeWish::read_beside(namespace.labels.get(MODE), namespace.misplaced_mode.as_ref());
    wish.or_stricter(Mode::Advisory) == Mode::Enforcing
}

/// Whether each persona that is not enforced is ready, and one of them is. Those without a Deployment are not in the way.
fn is_ready(view: &View<'_>, namespace: &Namespace) -> bool {
    let personas = view.facts.personas.here().into_iter().flatten();
    let open = personas.filter(|persona| {
        persona.namespace == namespace.name && persona.mode.or_stricter(Mode::Advisory) == Mode::Advisory
    });
    let mut ready = 0;
    for persona in open {
        let key = (persona.namespace.clone(), persona.name.clone());
        match view.facts.readiness.get(&key) {
            Some(Readiness::Ready) => ready += 1,
            Some(Readiness::Idle) => {}
            Some(Readiness::Waiting) | None => return false,
        }
    }
    ready > 0
}
