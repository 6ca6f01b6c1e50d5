//! Writes the JSON of an answer. Only this file knows its format (contract 2.2): always HTTP 200, uid and version repeated,
//! no patch.
//!
//! The text is written piece by piece, so that constant parts need no escaping.

mod json;

use std::borrow::Cow;

use json::Json;
use smallvec::SmallVec;

use super::review::Version;
use crate::policy::render::{FieldPath, Message};
use crate::policy::text::cut;
use crate::policy::{Decision, RuleSet};

/// The content of an answer.
#[derive(Debug, Default)]
pub struct Answer<'a> {
    /// Whether the request is admitted.
    pub allowed: bool,
    /// `status.code`: 200, 403, or 400 and 413 for what could not be judged.
    pub code: u16,
    /// `status.message`.
    pub message: Cow<'static, str>,
    /// `warnings`.
    pub warnings: Vec<String>,
    causes: Vec<Cause>,
    audit: Option<Audit<'a>>,
}

#[derive(Debug)]
struct Cause {
    reason: &'static str,
    message: String,
    field: String,
}

/// The annotations that the API server writes into its audit log, prefixed with the webhook's name.
#[derive(Debug)]
struct Audit<'a>(&'a Decision<'a>);

/// Names of personas or of exceptions in an audit annotation. An app may have any number of them.
const NAMES: usize = 20;

/// Causes in one answer. A program that needs more can use the command line.
const CAUSES: usize = 100;

impl<'a> Answer<'a> {
    /// Allowed, with a message.
    pub fn allowed(message: impl Into<Cow<'static, str>>) -> Self {
        Answer {
            allowed: true,
            code: 200,
            message: message.into(),
            ..Answer::default()
        }
    }

    /// Allowed although it was not checked: our failure must not block the user, but is reported.
    pub fn unchecked(warning: String) -> Self {
        Answer {
            warnings: vec![warning],
            ..Answer::allowed("not checked")
        }
    }

    /// Denied, for a reason that is not a finding.
    pub fn refused(code: u16, message: String) -> Self {
        Answer {
            allowed: false,
            code,
            message: message.into(),
            ..Answer::default()
        }
    }

    /// The answer to a decision; `message` and `warnings` come from `policy::answer`.
    pub fn decided(decision: &'a Decision<'a>, message: Cow<'static, str>, warnings: Vec<String>) -> Self {
        let complete = decision.set == RuleSet::Complete;
        let leading = decision.refusing_persona().unwrap_or_default();
        let cause = |attributed: &crate::policy::AttributedFinding<'_>| {
            let mut message = cut(Message(attributed.finding()), 256);
            if let Some(owner) = attributed.owner(leading) {
                message.push_str(&owner.to_string());
            }
            Cause {
                reason: attributed.finding().rule.name(),
                message,
                field: cut(FieldPath(attributed.finding()), 512),
            }
        };
        let causes = if complete {
            decision.refusals().iter().take(CAUSES).map(cause).collect()
        } else {
            Vec::new()
        };
        let audit = complete.then_some(Audit(decision));
        let allowed = decision.allows();
        Answer {
            allowed,
            code: if allowed { 200 } else { 403 },
            message,
            warnings,
            causes,
            audit,
        }
    }

    /// The AdmissionReview to send back.
    pub fn to_json(&self, version: Version, uid: &str) -> Vec<u8> {
        let mut json = Json::with_capacity(self.size());
        json.raw(r#"{"kind":"AdmissionReview","apiVersion":"#);
        json.text(version.api_version());
        json.raw(r#","response":"#);
        self.response(&mut json, uid);
        json.raw("}");
        json.into_bytes()
    }

    /// The error body of contract 2.2: no kind, no version, no uid, so that an API server treats the call as failed and applies
    /// its failurePolicy.
    pub fn to_broken_json(&self) -> Vec<u8> {
        let mut json = Json::with_capacity(self.size());
        json.raw(r#"{"response":"#);
        self.response(&mut json, "");
        json.raw("}");
        json.into_bytes()
    }

    /// About how many bytes it needs, so that one allocation suffices.
    fn size(&self) -> usize {
        let warnings: usize = self.warnings.iter().map(|warning| warning.len() + 3).sum();
        let cause = |cause: &Cause| cause.message.len() + cause.field.len() + 80;
        let causes: usize = self.causes.iter().map(cause).sum();
        512 + self.message.len() * 17 / 16 + warnings + causes
    }

    fn response(&self, json: &mut Json, uid: &str) {
        json.raw(r#"{"uid":"#);
        json.text(uid);
        json.raw(if self.allowed {
            r#","allowed":true"#
        } else {
            r#","allowed":false"#
        });
        self.status(json);
        if let Some(audit) = &self.audit {
            audit.write(json);
        }
        if !self.warnings.is_empty() {
            json.raw(r#","warnings":["#);
            json.list(&self.warnings, |json, warning| json.text(warning));
            json.raw("]");
        }
        json.raw("}");
    }

    fn status(&self, json: &mut Json) {
        json.raw(r#","status":{"metadata":{},"message":"#);
        json.text(&self.message);
        if self.code == 403 {
            json.raw(r#","reason":"Forbidden""#);
        }
        if !self.causes.is_empty() {
            json.raw(r#","details":{"causes":["#);
            json.list(&self.causes, |json, cause| cause.write(json));
            json.raw("]}");
        }
        json.raw(r#","code":"#);
        json.number(self.code);
        json.raw("}");
    }
}

impl Cause {
    fn write(&self, json: &mut Json) {
        json.raw(r#"{"reason":"#);
        json.text(self.reason);
        json.raw(r#","message":"#);
        json.text(&self.message);
        json.raw(r#","field":"#);
        json.text(&self.field);
        json.raw("}");
    }
}

impl Audit<'_> {
    fn write(&self, json: &mut Json) {
        let mut rules: SmallVec<[&str; 8]> = self.0.rules().map(|(rule, ..)| rule.name()).collect();
        rules.sort_unstable();
        rules.dedup();
        json.raw(r#","auditAnnotations":{"mode":"#);
        json.text(self.0.mode.as_str());
        json.raw(r#","persona":"#);
        let beyond = self.0.personas().skip(NAMES).count();
        let more = (beyond > 0).then(|| format!("and {beyond} more"));
        json.joined(self.0.personas().take(NAMES).chain(more.as_deref()));
        json.raw(r#","rules":"#);
        json.joined(rules);
        let mut excepted: Vec<&str> = self.0.excepted().map(|(exception, ..)| &*exception.name).collect();
        if !excepted.is_empty() {
            excepted.sort_unstable();
            excepted.dedup();
            let beyond = excepted.len().saturating_sub(NAMES);
            let more = (beyond > 0).then(|| format!("and {beyond} more"));
            json.raw(r#","excepted":"#);
            json.joined(excepted.into_iter().take(NAMES).chain(more.as_deref()));
        }
        json.raw("}");
    }
}
