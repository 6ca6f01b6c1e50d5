//! Derives the status of a default persona, which governs any number of Deployments: how many, and what is found of them. Pure.

use std::sync::Arc;

use super::assess::{Assessment, Parts, conditions, passed};
use super::compare::{MAX_COMPARED, Uncompared, workload};
use super::observed::Observed;
use super::promotion::Found;
use crate::api::application_persona::status::{HealthState, Phase};
use crate::index::Deployment;
use crate::policy::issue::MOST_ISSUES;
use crate::policy::text::{Shown, cut};
use crate::policy::{Exceptions, Issue, Issues, RuleSet, Severity, issues_of_workload};

/// Longest message of an issue.
const MAX_MESSAGE: usize = 1_024;

pub(super) fn governs(observed: &Observed<'_>, deployments: &[Arc<Deployment>]) -> (Assessment, Found) {
    let count = deployments.len();
    let beside = match observed.persona.is_binding {
        true => "",
        false => " without an ApplicationPersona of their own",
    };
    let message = match count {
        0 => format!("Governs no Deployment: there is none{}", beside.replace("their", "its")),
        1 => format!("Governs 1 Deployment{}", beside.replace("their", "its")),
        count => format!("Governs {count} Deployments{beside}"),
    };
    let all = Compared::all(observed, deployments);
    let (governs, reason) = match count {
        0 => (false, "NoDeployment"),
        _ => (true, "Governs"),
    };
    let is_violated = all.errors > 0 || all.uncompared > 0;
    let (phase, ready) = match (count, is_violated) {
        (0, _) => (Phase::Pending, (Some(false), reason, message.clone())),
        (_, true) => (Phase::Degraded, (Some(false), "Issues", "Phase: Degraded".to_owned())),
        (_, false) => (Phase::Active, (Some(true), reason, message.clone())),
    };
    let validated = all.condition(count);
    let passed = all.errors == 0 && all.uncompared == 0;
    let (errors, uncompared) = (all.errors, all.uncompared);
    let issues = all.into_list();
    let found = match (count, errors, uncompared) {
        (0, ..) => Found::Uncompared(reason, message.clone()),
        (_, 0, 1..) => Found::Uncompared(validated.1, validated.2.clone()),
        _ => Found::of(&issues, errors),
    };
    let assessment = Assessment {
        generation: observed.generation,
        phase,
        health: HealthState::Unknown,
        health_message: message.clone(),
        passed,
        issues,
        deployments: None,
        conditions: conditions(observed, ready, validated, (Some(governs), reason, message)),
        promotion: None,
        compared: count > 0,
    };
    (assessment, found)
}

/// What is found of all Deployments together.
#[derive(Default)]
struct Compared {
    /// By severity, the mildest first, at most [`MOST_ISSUES`] of each.
    lists: [Vec<Issue>; Severity::ALL.len()],
    /// Issues that are in no list.
    unlisted: usize,
    errors: usize,
    excepted: usize,
    /// Deployments with errors.
    violating: usize,
    /// Deployments that could not be read, or for which there was no time.
    uncompared: usize,
}

impl Compared {
    /// Compares the Deployments, by namespace and name, until [`MAX_COMPARED`] is reached, so that the work of one change is
    /// bounded.
    fn all(observed: &Observed<'_>, deployments: &[Arc<Deployment>]) -> Compared {
        let mut all = Compared::default();
        let mut size = 0_usize;
        let exceptions = observed.exceptions_of_each.iter().copied();
        let exceptions = exceptions.chain(std::iter::repeat(Exceptions::default()));
        for (deployment, exceptions) in deployments.iter().zip(exceptions) {
            let spec = deployment.running.as_deref().map(|running| &running.spec);
            let Some(Ok(spec)) = spec else {
                let reason = spec.and_then(|spec| spec.as_ref().err());
                all.unreadable(
                    observed,
                    deployment,
                    &Uncompared::unreadable(reason.map_or("", |reason| reason)),
                );
                continue;
            };
            size = size.saturating_add(spec.len());
            if size > MAX_COMPARED {
                all.uncompared += 1;
                continue;
            }
            match workload(spec) {
                Ok(workload) => all.add(
                    observed,
                    deployment,
                    issues_of_workload(
                        RuleSet::Complete,
                        &workload,
                        observed.persona,
                        observed.platform,
                        exceptions,
                    ),
                ),
                Err(uncompared) => all.unreadable(observed, deployment, &uncompared),
            }
        }
        all
    }

    fn add(&mut self, observed: &Observed<'_>, deployment: &Deployment, found: Issues) {
        self.errors += found.errors;
        self.excepted += found.excepted;
        self.violating += usize::from(found.errors > 0);
        self.unlisted += found.unlisted;
        // The last line counts those that are not listed.
        let listed = found.list.len() - usize::from(found.unlisted > 0);
        for issue in found.list.into_iter().take(listed) {
            self.list(observed, deployment, issue);
        }
    }

    fn unreadable(&mut self, observed: &Observed<'_>, deployment: &Deployment, uncompared: &Uncompared) {
        self.uncompared += 1;
        self.list(observed, deployment, uncompared.issue.clone());
    }

    /// Lists an issue with the Deployment that has it, where there is room.
    fn list(&mut self, observed: &Observed<'_>, deployment: &Deployment, issue: Issue) {
        let list = &mut self.lists[issue.severity as usize];
        if list.len() >= MOST_ISSUES {
            self.unlisted += 1;
            return;
        }
        let (namespace, name) = (Shown(&deployment.namespace), Shown(&deployment.name));
        let message = match *deployment.namespace == *observed.persona.namespace {
            true => cut(format_args!("Deployment '{name}': {}", issue.message), MAX_MESSAGE),
            false => cut(
                format_args!("Deployment '{namespace}/{name}': {}", issue.message),
                MAX_MESSAGE,
            ),
        };
        list.push(Issue { message, ..issue });
    }

    /// Status, reason and message of the condition `Validated`.
    fn condition(&self, count: usize) -> Parts {
        let Compared {
            errors,
            excepted,
            violating,
            uncompared,
            ..
        } = *self;
        match (count, errors, uncompared, excepted) {
            (0, ..) => (Some(true), "Skipped", "No Deployment to validate".to_owned()),
            (_, 1.., ..) => (
                Some(false),
                "ValidationFailed",
                format!("{errors} validation error(s) found in {violating} of {count} Deployment(s)"),
            ),
            (_, 0, 1.., _) => (
                None,
                "NotAllCompared",
                format!(
                    "{uncompared} of {count} Deployment(s) were not compared: unreadable, or too many; the others pass"
                ),
            ),
            (_, 0, 0, excepted) => passed(excepted),
        }
    }

    /// The worst first, at most [`MOST_ISSUES`] and one that counts the rest.
    fn into_list(self) -> Vec<Issue> {
        let Compared {
            lists,
            mut unlisted,
            errors,
            ..
        } = self;
        let mut list: Vec<Issue> = lists.into_iter().rev().flatten().collect();
        unlisted += list.len().saturating_sub(MOST_ISSUES);
        list.truncate(MOST_ISSUES);
        if unlisted > 0 {
            let listed = list.iter().filter(|issue| issue.severity == Severity::Error).count();
            let severity = match errors > listed {
                true => Severity::Error,
                false => Severity::Warning,
            };
            list.push(Issue::rest(severity, unlisted));
        }
        list
    }
}
