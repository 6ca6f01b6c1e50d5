//! Translates the rules about labels, replicas, resources and probes. Each demand is the negation of the rule in
//! `policy::rules`, and what excuses it is that of `policy::ratchet`.

use super::cel::{Among, Each, Violation, text};
use crate::policy::quantity::Quantity;
use crate::policy::text::Shown;
use crate::policy::{Persona, Rule};

/// Up to this many containers and sidecars of a pod are multiplied with a limit: one less than two to this.
const DOUBLINGS: usize = 12;

/// What a persona demands by one rule.
pub(super) struct Demand {
    pub(super) rule: Rule,
    /// What a violation is called.
    pub(super) text: String,
    pub(super) violations: Vec<Violation>,
}

/// The app label of an object.
pub(super) fn app_label(object: &str) -> String {
    format!("{object}.metadata.?labels[?'app.kubernetes.io/name'].orValue('')")
}

/// The demands of the rules in this file, with the variables that they read.
pub(super) fn of(persona: &Persona) -> (Vec<Demand>, Vec<(&'static str, String)>) {
    let (mut demands, mut variables) = (Vec::new(), Vec::new());
    for kind in &KINDS {
        if let Some(allowed) = (kind.of_persona)(persona) {
            demands.extend(limits(kind, &allowed));
            variables.extend(limit_variables(kind, &allowed));
        }
    }
    if persona.has_resources {
        demands.push(requests());
        variables.push(("podIsSilent", is_silent("pod")));
        variables.push(("podWasSilent", is_silent("oldPod")));
    }
    demands.extend(replicas(persona));
    demands.extend(probes(persona));
    demands.push(Demand {
        rule: Rule::AppLabelRemoved,
        text: "label app.kubernetes.io/name removed".to_owned(),
        violations: vec![Violation::Object {
            // A policy judges an update of an object that the persona governed, so this alone means that it was there.
            found: format!("{} == ''", app_label("object")),
            kept: None,
        }],
    });
    (demands, variables)
}

/// CPU or memory.
struct Kind {
    of_persona: fn(&Persona) -> Option<Quantity>,
    /// Its key in a list of resources.
    key: &'static str,
    /// Its name in texts.
    name: &'static str,
    above: Rule,
    missing: Rule,
    /// Variables: the limit of the pod, that of the stored pod, and what the persona allows its containers together.
    of_pod: &'static str,
    of_old_pod: &'static str,
    together: &'static str,
}

const KINDS: [Kind; 2] = [
    Kind {
        of_persona: |persona| persona.limits.cpu.clone(),
        key: "cpu",
        name: "CPU",
        above: Rule::CpuLimitAbovePersona,
        missing: Rule::CpuLimitMissing,
        of_pod: "cpuOfPod",
        of_old_pod: "cpuOfOldPod",
        together: "cpuTogether",
    },
    Kind {
        of_persona: |persona| persona.limits.memory.clone(),
        key: "memory",
        name: "Memory",
        above: Rule::MemoryLimitAbovePersona,
        missing: Rule::MemoryLimitMissing,
        of_pod: "memoryOfPod",
        of_old_pod: "memoryOfOldPod",
        together: "memoryTogether",
    },
];

impl Kind {
    /// The limit of a container or a pod; zero where it has none.
    fn limit(&self, of: &str) -> String {
        format!("quantity({of}.?resources.?limits.?{}.orValue('0'))", self.key)
    }
}

/// A limit as CEL. One below zero allows as much as zero does: nothing that is stored is below.
fn literal(quantity: &Quantity) -> String {
    match quantity.is_negative() {
        true => "quantity('0')".to_owned(),
        false => format!("quantity({})", text(&quantity.to_string())),
    }
}

fn limit_variables(kind: &Kind, allowed: &Quantity) -> [(&'static str, String); 3] {
    let containers = "size(variables.lasting)";
    let term = |place: usize| {
        let power = 1 << place;
        let bit = format!("{containers} / {power} % 2 == 1");
        format!(".add({bit} ? {} : quantity('0'))", literal(&allowed.times(power)))
    };
    let sum: String = (0..DOUBLINGS).map(term).collect();
    [
        (kind.of_pod, kind.limit("variables.pod")),
        (kind.of_old_pod, kind.limit("variables.oldPod")),
        (kind.together, format!("quantity('0'){sum}")),
    ]
}

fn limits(kind: &Kind, allowed: &Quantity) -> [Demand; 2] {
    let Kind {
        of_pod,
        of_old_pod,
        together,
        name,
        ..
    } = kind;
    let (own, stored, allowed_text) = (kind.limit("c"), kind.limit("o"), allowed.to_string());
    let allowed = literal(allowed);
    let (of_pod, of_old_pod) = (format!("variables.{of_pod}"), format!("variables.{of_old_pod}"));
    let most = 1_usize << DOUBLINGS;
    let above = Demand {
        rule: kind.above,
        text: format!("{name} limit exceeds persona limit {allowed_text}"),
        violations: vec![
            Violation::Object {
                found: format!("size(variables.lasting) < {most} && {of_pod}.isGreaterThan(variables.{together})"),
                kept: Some(format!(
                    "sign({of_old_pod}) == 0 || !{of_pod}.isGreaterThan({of_old_pod})"
                )),
            },
            Violation::Each(Each {
                among: Among::All,
                found: format!("{own}.isGreaterThan({allowed})"),
                items: None,
                kept: format!(
                    "sign({stored}) != 0 ? !{own}.isGreaterThan({stored}) : \
                     sign({of_old_pod}) == 0 || !{own}.isGreaterThan({of_old_pod})"
                ),
                excused: None,
            }),
        ],
    };
    let missing = Demand {
        rule: kind.missing,
        text: format!("no {name} limit; persona limit {allowed_text}"),
        violations: vec![Violation::Each(Each {
            among: Among::Lasting,
            found: format!("sign({own}) == 0 && (sign({of_pod}) == 0 || {of_pod}.isGreaterThan({allowed}))"),
            items: None,
            kept: format!(
                "sign({stored}) != 0 ? sign({of_pod}) != 0 && !{of_pod}.isGreaterThan({stored}) : \
                 sign({of_old_pod}) == 0 || sign({of_pod}) != 0 && !{of_pod}.isGreaterThan({of_old_pod})"
            ),
            excused: None,
        })],
    };
    [above, missing]
}

/// Whether a pod has neither limits nor requests of its own.
fn is_silent(pod: &str) -> String {
    format!(
        "['limits', 'requests'].all(l, {})",
        has_none(&format!("variables.{pod}.?resources[?l]"))
    )
}

/// Whether a list of resources has neither CPU nor memory.
fn has_none(list: &str) -> String {
    format!("['cpu', 'memory'].all(r, sign(quantity({list}[?r].orValue('0'))) == 0)")
}

fn requests() -> Demand {
    Demand {
        rule: Rule::RequestsMissing,
        text: "no resource requests; persona sets resources".to_owned(),
        violations: vec![Violation::Each(Each {
            among: Among::Lasting,
            found: format!("{} && variables.podIsSilent", has_none("c.?resources.?requests")),
            items: None,
            kept: format!("{} && variables.podWasSilent", has_none("o.?resources.?requests")),
            excused: None,
        })],
    }
}

fn replicas(persona: &Persona) -> impl Iterator<Item = Demand> {
    let of = |object: &str| format!("{object}.spec.?replicas.orValue(1)");
    let (new, old) = (of("object"), of("oldObject"));
    let demand = |rule, bound: Option<i32>, words: &str, violates: &str, keeps: &str| {
        bound.map(|bound| Demand {
            rule,
            text: format!("replicas {words} ({bound})"),
            violations: vec![Violation::Object {
                found: format!("{new} {violates} {bound}"),
                kept: Some(format!("{new} {keeps} {old}")),
            }],
        })
    };
    let below = demand(
        Rule::ReplicasBelowMinimum,
        persona.min_replicas,
        "below persona minimum",
        "<",
        ">=",
    );
    let above = demand(
        Rule::ReplicasAboveMaximum,
        persona.max_replicas,
        "above persona maximum",
        ">",
        "<=",
    );
    below.into_iter().chain(above)
}

fn probes(persona: &Persona) -> Vec<Demand> {
    let each = |found: String, kept: String| {
        vec![Violation::Each(Each {
            among: Among::Apps,
            found,
            items: None,
            kept,
            excused: None,
        })]
    };
    let missing = |rule, which: &str, field: &str, path: &str| Demand {
        rule,
        text: format!("no {which} probe; persona expects path {}", Shown(path)),
        violations: each(format!("!has(c.{field})"), format!("!has(o.{field})")),
    };
    let mut demands = Vec::new();
    if let Some(path) = &persona.liveness_path {
        demands.push(missing(Rule::LivenessProbeMissing, "liveness", "livenessProbe", path));
        let get = |of: &str| format!("{of}.?livenessProbe.?httpGet");
        let observed = |of: &str| format!("{of}.livenessProbe.httpGet.?path.orValue('')");
        demands.push(Demand {
            rule: Rule::LivenessPathDiffers,
            text: format!("liveness path differs from persona path {}", Shown(path)),
            violations: each(
                format!("{}.hasValue() && {} != {}", get("c"), observed("c"), text(path)),
                format!("{}.hasValue() && {} == {}", get("o"), observed("o"), observed("c")),
            ),
        });
    }
    if let Some(path) = &persona.readiness_path {
        demands.push(missing(
            Rule::ReadinessProbeMissing,
            "readiness",
            "readinessProbe",
            path,
        ));
    }
    demands
}
