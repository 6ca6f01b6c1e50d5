//! Reports missing probes (W4, W5) and a liveness path that differs from the persona's (R7). Only app containers are judged:
//! init containers end, and the health of a sidecar is not the application's.
//!
//! A liveness probe without HTTP counts as a probe in an answer (W4). In a status it counts as missing (R6), since only an
//! HTTP probe has a path.

use super::{Context, Found};
use crate::finding::{ContainerKind, ContainerRef, Fact, Finding, Rule};
use crate::workload::Container;

pub(super) fn judge_container<'a>(
    context: &Context<'a>,
    container: ContainerRef<'a>,
    spec: &'a Container<'a>,
    found: Found<'_, 'a>,
) {
    let persona = context.persona;
    let port = persona.probe_port;
    if container.kind != ContainerKind::App {
        return;
    }
    if let Some(path) = persona.liveness_path.as_deref() {
        let probe = spec.liveness_probe.as_ref();
        match probe.filter(|probe| probe.http_get.is_some() || !context.in_status()) {
            None => {
                let fact = Fact::ProbeMissing { path, port };
                found(Finding::container(
                    Rule::LivenessProbeMissing,
                    container,
                    "livenessProbe",
                    fact,
                ));
            }
            Some(probe) => {
                if let Some(get) = &probe.http_get
                    && get.path.as_str() != path
                {
                    let fact = Fact::PathDiffers {
                        observed: &get.path,
                        allowed: path,
                    };
                    let field = "livenessProbe.httpGet.path";
                    found(Finding::container(Rule::LivenessPathDiffers, container, field, fact));
                }
            }
        }
    }
    if let Some(path) = persona.readiness_path.as_deref()
        && spec.readiness_probe.is_none()
    {
        let fact = Fact::ProbeMissing { path, port };
        found(Finding::container(
            Rule::ReadinessProbeMissing,
            container,
            "readinessProbe",
            fact,
        ));
    }
}
