//! Writes the changes that [`super::fix`] plans as an RFC 6902 patch. Its `test` operations make the patch fail on any
//! object other than the one that was judged.

use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, Patch, PatchOperation, RemoveOperation, ReplaceOperation, TestOperation};
use serde_json::{Value, json};

use super::field;
use super::finding::{ContainerRef, Fact, Finding, Place};
use super::fix::{self, Change, Level, Plan, Setting};
use super::workload::Workload;

/// The patch for one finding. `None` where no right value is known, such as for a probe without a port.
pub fn patch(finding: &Finding<'_>, object: &Value) -> Option<Patch> {
    let patch = patch_all([finding], object);
    let changes = |operation: &PatchOperation| !matches!(operation, PatchOperation::Test(_));
    patch.0.iter().any(changes).then_some(patch)
}

/// One patch for several findings on the same object; the order is that of the findings.
pub fn patch_all<'f>(findings: impl IntoIterator<Item = &'f Finding<'f>>, object: &Value) -> Patch {
    let findings: Vec<&Finding<'f>> = findings.into_iter().collect();
    let mut editor = Editor {
        object: object.clone(),
        operations: Vec::new(),
    };
    editor.fix(&findings);
    Patch(editor.operations)
}

/// Collects operations and applies them to a copy of the object, so that a later one sees the effect of an earlier one.
struct Editor {
    object: Value,
    operations: Vec<PatchOperation>,
}

impl Editor {
    fn fix(&mut self, findings: &[&Finding<'_>]) {
        let text = self.object.to_string();
        // An object that cannot be read was not judged.
        let Ok(workload) = serde_json::from_str::<Workload<'_>>(&text) else {
            return;
        };
        let plan = Plan::new(findings, &workload);
        for (change, _) in &plan.changes {
            self.change(change);
        }
        for finding in findings {
            self.probe(finding);
        }
    }

    fn change(&mut self, change: &Change<'_>) {
        let base = self.base(change.level);
        let target = field::below(&base, change.field);
        match &change.to {
            Setting::Unset => self.remove(&target),
            Setting::Removed => self.remove_items(&target, &change.from),
            Setting::Flag(flag) => self.set(&target, json!(flag)),
            Setting::Number(number) => self.set(&target, json!(number)),
            Setting::Text(text) => self.set(&target, json!(text)),
            Setting::Probe { path, port } => self.set(&target, probe(path, &json!(port))),
        }
    }

    /// A probe needs a port; where the persona names none, the container's first may serve.
    fn probe(&mut self, finding: &Finding<'_>) {
        let (Fact::ProbeMissing { path, port: None }, Place::Container(container, _)) = (&finding.fact, &finding.place)
        else {
            return;
        };
        let base = self.base(Level::Container(*container));
        if let Some(port) = self.at(&join(&base, ["ports", "0", "containerPort"])).cloned() {
            self.set(&join(&base, [fix::probe(finding.rule)]), probe(path, &port));
        }
    }

    /// Where the level's fields start. A container is addressed by position, so its name is tested first.
    fn base(&mut self, level: Level<'_>) -> PointerBuf {
        let base = field::base(level);
        if let Level::Container(ContainerRef { name, .. }) = level {
            let test = TestOperation {
                path: join(&base, ["name"]),
                value: json!(name),
            };
            let test = PatchOperation::Test(test);
            if !self.operations.contains(&test) {
                self.operations.push(test);
            }
        }
        base
    }

    fn at(&self, pointer: &PointerBuf) -> Option<&Value> {
        self.object.pointer(pointer.as_str()).filter(|value| !value.is_null())
    }

    /// Sets a value: missing parents are added as empty objects, a present value is tested before it is replaced.
    fn set(&mut self, target: &PointerBuf, value: Value) {
        let mut parent = PointerBuf::new();
        let tokens: Vec<String> = target.tokens().map(|token| token.decoded().into_owned()).collect();
        for token in tokens.iter().take(tokens.len().saturating_sub(1)) {
            parent = join(&parent, [token.as_str()]);
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

    /// Removes every item of a list that is the text.
    fn remove_items(&mut self, list: &PointerBuf, item: &Setting<'_>) {
        let Setting::Text(item) = item else { return };
        let same = |added: &Value| added.as_str() == Some(item);
        while let Some(added) = self.at(list).and_then(Value::as_array)
            && let Some(position) = added.iter().position(same)
        {
            self.remove(&join(list, [position.to_string().as_str()]));
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
        // An operation that does not apply to its own object would make the whole patch useless.
        if json_patch::patch(&mut self.object, std::slice::from_ref(&operation)).is_ok() {
            self.operations.push(operation);
        }
    }
}

fn probe(path: &str, port: &Value) -> Value {
    json!({"httpGet": {"path": path, "port": port}})
}

fn join<'t>(base: &PointerBuf, tokens: impl IntoIterator<Item = &'t str>) -> PointerBuf {
    let mut joined = base.clone();
    for token in tokens {
        joined.push_back(token);
    }
    joined
}
