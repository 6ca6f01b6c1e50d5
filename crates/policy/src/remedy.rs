//! The fix as an RFC 6902 patch, guarded by `test` operations: it applies to the object that was judged and to no
//! other, and touches nothing a finding did not name.

use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, Patch, PatchOperation, RemoveOperation, ReplaceOperation, TestOperation};
use serde_json::{Value, json};

use super::finding::{ContainerRef, Escalation, Fact, Finding, Place, RootUser, Rule};
use super::privileged::{capability, is_root_account};
use super::quantity::Quantity;

/// The patch for one finding. `None` where no value is known that would be right, such as a probe without a port.
pub fn patch(finding: &Finding<'_>, object: &Value) -> Option<Patch> {
    let patch = patch_all([finding], object);
    let changes = |operation: &PatchOperation| !matches!(operation, PatchOperation::Test(_));
    patch.0.iter().any(changes).then_some(patch)
}

/// One patch for several findings on the same object; the order is that of the findings.
pub fn patch_all<'a>(findings: impl IntoIterator<Item = &'a Finding<'a>>, object: &Value) -> Patch {
    let mut editor = Editor {
        object: object.clone(),
        operations: Vec::new(),
    };
    for finding in findings {
        editor.fix(finding);
    }
    Patch(editor.operations)
}

/// Whether it is an amount at all: of nothing, and of less, Kubernetes takes nobody at their word.
fn is_some(quantity: &Quantity) -> bool {
    !quantity.is_zero() && !quantity.is_negative()
}

/// Collects operations and keeps the object as they would leave it, so that a later one sees what an earlier one made.
struct Editor {
    object: Value,
    operations: Vec<PatchOperation>,
}

impl Editor {
    fn fix(&mut self, finding: &Finding<'_>) {
        match (&finding.place, &finding.fact) {
            // A limit of zero is none, so a persona that allows no more can be obeyed by nobody.
            (_, Fact::LimitAbove { allowed, .. } | Fact::LimitMissing { allowed }) if !is_some(allowed) => {}
            (place, Fact::LimitAbove { allowed, .. } | Fact::LimitMissing { allowed }) => {
                let resource = match finding.rule {
                    Rule::CpuLimitAbovePersona | Rule::CpuLimitMissing => "cpu",
                    _ => "memory",
                };
                let base = self.base(place);
                self.set(
                    &join(&base, &["resources", "limits", resource]),
                    json!(allowed.to_string()),
                );
                // A request above its limit is invalid.
                let request = join(&base, &["resources", "requests", resource]);
                if self.quantity(&request).is_some_and(|request| request > **allowed) {
                    self.set(&request, json!(allowed.to_string()));
                }
            }
            (place, Fact::RequestsMissing { cpu, memory }) => {
                let base = self.base(place);
                for (resource, wanted) in [("cpu", cpu), ("memory", memory)] {
                    let Some(wanted) = wanted.filter(|wanted| is_some(wanted)) else {
                        continue;
                    };
                    let limit = self.quantity(&join(&base, &["resources", "limits", resource]));
                    // A request above its limit is invalid; a zero limit is none.
                    let lower = limit.filter(|limit| limit < wanted && is_some(limit));
                    let wanted = lower.unwrap_or_else(|| (*wanted).clone());
                    self.set(
                        &join(&base, &["resources", "requests", resource]),
                        json!(wanted.to_string()),
                    );
                }
            }
            (_, Fact::Replicas { allowed, .. }) => self.set(&path(&["spec", "replicas"]), json!(allowed)),
            (place, Fact::NonRootNotDemanded { .. }) => {
                let base = self.base(place);
                self.set(&join(&base, &["securityContext", "runAsNonRoot"]), json!(true));
            }
            (place, Fact::RunsAsRoot { user, wanted, .. }) => self.fix_root(place, *user, *wanted),
            (place, Fact::Escalation(how)) => self.fix_escalation(place, *how),
            (place, Fact::EscalationUnset) => {
                let base = self.base(place);
                self.set(
                    &join(&base, &["securityContext", "allowPrivilegeEscalation"]),
                    json!(false),
                );
            }
            (place, Fact::WritableRoot { .. }) => {
                let base = self.base(place);
                self.set(
                    &join(&base, &["securityContext", "readOnlyRootFilesystem"]),
                    json!(true),
                );
            }
            (place, Fact::ProbeMissing { path: asked, port }) => {
                let base = self.base(place);
                let kind = if finding.rule == Rule::LivenessProbeMissing {
                    "livenessProbe"
                } else {
                    "readinessProbe"
                };
                let first = self.at(&join(&base, &["ports", "0", "containerPort"])).cloned();
                if let Some(port) = port.map(|port| json!(port)).or(first) {
                    self.set(&join(&base, &[kind]), json!({"httpGet": {"path": asked, "port": port}}));
                }
            }
            (place, Fact::PathDiffers { allowed, .. }) => {
                let base = self.base(place);
                self.set(&join(&base, &["livenessProbe", "httpGet", "path"]), json!(allowed));
            }
            (_, Fact::Label { allowed, .. }) => {
                self.set(&path(&["metadata", "labels", "app.kubernetes.io/name"]), json!(allowed));
            }
            // These are about the persona or the namespace, not about this object.
            (_, Fact::Unreadable { .. } | Fact::Duplicate { .. } | Fact::ModeUnknown { .. }) => {}
        }
    }

    fn fix_root(&mut self, place: &Place<'_>, user: Option<RootUser<'_>>, wanted: Option<i64>) {
        let base = self.base(place);
        let holders = [base.clone(), path(&["spec", "template", "spec"])];
        if user.is_some() {
            for holder in &holders {
                let uid = join(holder, &["securityContext", "runAsUser"]);
                if self.at(&uid) == Some(&json!(0)) {
                    match wanted {
                        Some(wanted) => self.set(&uid, json!(wanted)),
                        None => self.remove(&uid),
                    }
                }
                let account = join(holder, &["securityContext", "windowsOptions", "runAsUserName"]);
                if self.at(&account).and_then(Value::as_str).is_some_and(is_root_account) {
                    self.set(&account, json!("ContainerUser"));
                }
            }
        }
        let demand = join(&base, &["securityContext", "runAsNonRoot"]);
        if self.at(&demand) == Some(&json!(false)) {
            self.set(&demand, json!(true));
        }
    }

    fn fix_escalation(&mut self, place: &Place<'_>, how: Escalation<'_>) {
        let base = self.base(place);
        let own = |field: &str| join(&base, &["securityContext", field]);
        match how {
            Escalation::Allowed => self.set(&own("allowPrivilegeEscalation"), json!(false)),
            Escalation::Privileged => self.set(&own("privileged"), json!(false)),
            Escalation::ProcMount => self.set(&own("procMount"), json!("Default")),
            Escalation::HostProcess { .. } => {
                for holder in [&base, &path(&["spec", "template", "spec"])] {
                    let field = join(holder, &["securityContext", "windowsOptions", "hostProcess"]);
                    if self.at(&field) == Some(&json!(true)) {
                        self.set(&field, json!(false));
                    }
                }
            }
            Escalation::Capability(name, _) => {
                let list = join(&base, &["securityContext", "capabilities", "add"]);
                // The same capability may stand there twice, spelled differently.
                let wanted = capability(name);
                let same = |added: &Value| added.as_str().is_some_and(|added| capability(added) == wanted);
                while let Some(added) = self.at(&list).and_then(Value::as_array)
                    && let Some(position) = added.iter().position(same)
                {
                    self.remove(&join(&list, &[&position.to_string()]));
                }
            }
        }
    }

    /// Where the place's fields start. A container is addressed by position, so its name is tested first.
    fn base(&mut self, place: &Place<'_>) -> PointerBuf {
        let pod = ["spec", "template", "spec"];
        match place {
            Place::Object(_) => path(&[]),
            Place::Pod(_) => path(&pod),
            Place::Container(ContainerRef { kind, index, name }, _) => {
                let base = join(&path(&pod), &[kind.list(), &index.to_string()]);
                let test = TestOperation {
                    path: join(&base, &["name"]),
                    value: json!(name),
                };
                let test = PatchOperation::Test(test);
                if !self.operations.contains(&test) {
                    self.operations.push(test);
                }
                base
            }
        }
    }

    fn at(&self, pointer: &PointerBuf) -> Option<&Value> {
        self.object.pointer(pointer.as_str()).filter(|value| !value.is_null())
    }

    fn quantity(&self, pointer: &PointerBuf) -> Option<Quantity> {
        Quantity::parse(self.at(pointer)?.as_str()?).ok()
    }

    /// Sets a value: missing parents are added as empty objects, a present value is tested before it is replaced.
    fn set(&mut self, target: &PointerBuf, value: Value) {
        let mut parent = path(&[]);
        let tokens: Vec<String> = target.tokens().map(|token| token.decoded().into_owned()).collect();
        for token in tokens.iter().take(tokens.len().saturating_sub(1)) {
            parent = join(&parent, &[token]);
            if self.at(&parent).is_none() {
                self.put(parent.clone(), json!({}));
            }
        }
        self.put(target.clone(), value);
    }

    fn put(&mut self, path: PointerBuf, value: Value) {
        match self.object.pointer(path.as_str()).cloned() {
            Some(current) => {
                self.push(PatchOperation::Test(TestOperation {
                    path: path.clone(),
                    value: current,
                }));
                self.push(PatchOperation::Replace(ReplaceOperation { path, value }));
            }
            None => self.push(PatchOperation::Add(AddOperation { path, value })),
        }
    }

    fn remove(&mut self, path: &PointerBuf) {
        if let Some(value) = self.object.pointer(path.as_str()).cloned() {
            self.push(PatchOperation::Test(TestOperation {
                path: path.clone(),
                value,
            }));
            self.push(PatchOperation::Remove(RemoveOperation { path: path.clone() }));
        }
    }

    fn push(&mut self, operation: PatchOperation) {
        // An operation that does not apply to the object it was made for would make the whole patch useless.
        if json_patch::patch(&mut self.object, std::slice::from_ref(&operation)).is_ok() {
            self.operations.push(operation);
        }
    }
}

fn path(tokens: &[&str]) -> PointerBuf {
    PointerBuf::from_tokens(tokens.iter().copied())
}

fn join(base: &PointerBuf, tokens: &[&str]) -> PointerBuf {
    let mut joined = base.clone();
    for token in tokens {
        joined.push_back(*token);
    }
    joined
}
