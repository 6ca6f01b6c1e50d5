//! Finds the limits and requests of a persona that its workloads meet. A limit that a container lacks is left out: a persona
//! with a limit demands one of every container.

use super::Note;
use super::workload::{Amounts, Container, Resources, Workload};
use crate::api::{ResourceValues, Resources as PersonaResources};
use crate::policy::quantity::Quantity;

/// CPU or memory.
struct Kind {
    word: &'static str,
    of: fn(&Amounts) -> Option<&Quantity>,
    /// What is invented where a container has neither limit nor request.
    usual: &'static str,
}

const CPU: Kind = Kind {
    word: "CPU",
    of: |amounts| amounts.cpu.as_ref(),
    usual: "500m",
};
const MEMORY: Kind = Kind {
    word: "memory",
    of: |amounts| amounts.memory.as_ref(),
    usual: "512Mi",
};

/// `spec.resources`; `None` where there is nothing that all containers meet.
pub(super) fn resources(
    workloads: &[&Workload],
    primary: Option<&Container>,
    invents: bool,
    notes: &mut Vec<Note>,
) -> Option<PersonaResources> {
    if !invents {
        for workload in workloads {
            if let Some(container) = without_requests(workload) {
                notes.push(Note::of(
                    workload,
                    format!(
                        "limits and requests are left out: container {container} requests nothing, and a persona with resources \
                         demands requests"
                    ),
                ));
                return None;
            }
        }
    }
    let limits = ResourceValues {
        cpu: limit(&CPU, workloads, invents, notes),
        memory: limit(&MEMORY, workloads, invents, notes),
    };
    let requests = primary.map(|container| &container.resources.requests);
    let request = |of: fn(&Amounts) -> Option<&Quantity>| Some(of(requests?)?.to_string());
    let requests = ResourceValues {
        cpu: request(CPU.of),
        memory: request(MEMORY.of),
    };
    let set = |values: ResourceValues| (values != ResourceValues::default()).then_some(values);
    let resources = PersonaResources {
        limits: set(limits),
        requests: set(requests),
        profile: None,
    };
    (resources != PersonaResources::default()).then_some(resources)
}

/// A container that runs with the app and requests nothing, unless its pod speaks for it.
fn without_requests(workload: &Workload) -> Option<&str> {
    let Resources { limits, requests } = &workload.pod;
    if !(limits.is_empty() && requests.is_empty()) {
        return None;
    }
    let mut running = workload.running();
    let silent = running.find(|container| container.resources.requests.is_empty())?;
    Some(&silent.name)
}

/// The smallest limit that all containers meet.
fn limit(kind: &Kind, workloads: &[&Workload], invents: bool, notes: &mut Vec<Note>) -> Option<String> {
    let mut allowed: Option<Quantity> = None;
    for workload in workloads {
        let of_pod = (kind.of)(&workload.pod.limits);
        let mut largest: Option<Quantity> = None;
        let raise = |largest: &mut Option<Quantity>, to: &Quantity| {
            if largest.as_ref().is_none_or(|largest| to > largest) {
                *largest = Some(to.clone());
            }
        };
        for container in &workload.containers {
            if let Some(limit) = (kind.of)(&container.resources.limits) {
                raise(&mut largest, limit);
            }
        }
        let is_bare = |container: &&Container| (kind.of)(&container.resources.limits).is_none();
        let bare: Vec<&Container> = workload.running().filter(is_bare).collect();
        if let Some(pod) = of_pod {
            // Its containers share it, and one without a limit of its own may use all of it.
            let together = largest
                .as_ref()
                .map(|each| each.times(workload.running().count().max(1)));
            if !bare.is_empty() || together.is_none_or(|together| *pod > together) {
                raise(&mut largest, pod);
            }
        } else {
            for container in bare {
                if !invents {
                    let (word, name) = (kind.word, &container.name);
                    notes.push(Note::of(
                        workload,
                        format!("no {word} limit: container {name} has none (--invent-limits makes one up)"),
                    ));
                    return None;
                }
                let request = (kind.of)(&container.resources.requests);
                let invented = request.map(|request| request.times(2));
                let invented = invented.or_else(|| Quantity::parse(kind.usual).ok())?;
                let basis = if request.is_some() {
                    "twice its request"
                } else {
                    "a guess"
                };
                let (word, name) = (kind.word, &container.name);
                notes.push(Note::invented(
                    workload,
                    format!("{word} limit {invented} of container {name} is invented: {basis}"),
                ));
                raise(&mut largest, &invented);
            }
        }
        if let Some(largest) = largest {
            raise(&mut allowed, &largest);
        }
    }
    let allowed = allowed?;
    // A persona with a fraction of a byte is a finding itself.
    if kind.word == MEMORY.word && !allowed.is_whole() {
        let all = workloads.first()?;
        notes.push(Note::of(
            all,
            format!("no memory limit: {allowed} is no whole number of bytes"),
        ));
        return None;
    }
    Some(allowed.to_string())
}
