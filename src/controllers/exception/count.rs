//! Counts the findings that an exception covers or, once it has ended, that stand there without cover. Pure.

use std::sync::Arc;

use crate::index::{Deployment, Snapshot};
use crate::policy::exception::{ExceptionPhase, Exceptions};
use crate::policy::question::{Governed, Question};
use crate::policy::workload::{Spec, Workload};
use crate::policy::{Exception, Mode, ModeWish, Moment, RuleSet, Rulebook, Subject, decide};

/// How many findings of the Deployments that exist the exception covers at this time. Of one that has ended: how many it would
/// cover and no other does.
pub(super) fn findings(snapshot: &Snapshot, exception: &Arc<Exception>, now: Moment) -> u64 {
    let max = snapshot.max_exception();
    let phase = exception.phase(now, max);
    let ours = match phase {
        ExceptionPhase::Active => Arc::clone(exception),
        ExceptionPhase::Expired => Arc::new(exception.as_if_active(now)),
        ExceptionPhase::Pending | ExceptionPhase::Invalid => return 0,
    };
    let deployments = snapshot.excepted_deployments(exception).into_iter();
    deployments
        .map(|deployment| {
            let (names, labels) = (deployment.names(), deployment.object_labels());
            let mut place = None;
            let governed = snapshot.governed(&deployment.namespace, names, labels, &mut place);
            let others = snapshot.exceptions(&deployment.namespace, governed.app, &deployment.name, || now);
            let others = others.of_app.iter().chain(others.of_workload);
            let others = others.filter(|other| phase == ExceptionPhase::Expired && other.name != exception.name);
            let all: Vec<Arc<Exception>> = others.chain([&ours]).cloned().collect();
            let exceptions = Exceptions {
                of_app: &all,
                of_workload: &[],
                now,
                max,
            };
            covered(snapshot, deployment, Governed { exceptions, ..governed }, &ours)
        })
        .sum()
}

/// How many findings of one Deployment this exception covers among all. One that cannot be read has none.
fn covered(snapshot: &Snapshot, deployment: &Deployment, governed: Governed<'_>, ours: &Exception) -> u64 {
    let running = deployment.running.as_deref();
    let spec = running.and_then(|running| running.spec.as_deref().ok());
    let Some(spec) = spec.and_then(|spec| serde_json::from_str::<Spec<'_>>(spec).ok()) else {
        return 0;
    };
    let workload = Workload {
        spec,
        ..Workload::default()
    };
    let question = Question {
        subject: Subject::Deployment,
        new: &workload,
        governed,
        old: None,
        namespace: &deployment.namespace,
        namespace_mode: &ModeWish::Unset,
        platform: snapshot.platform(),
    };
    // Nothing is denied in this mode, and what is covered is the same in every mode.
    let rulebook = Rulebook {
        set: RuleSet::Complete,
        mode: Mode::Advisory,
    };
    let decision = decide(rulebook, &question);
    let excepted = decision.excepted().filter(|(by, ..)| *by == ours);
    excepted.map(|(.., count)| count).sum()
}
