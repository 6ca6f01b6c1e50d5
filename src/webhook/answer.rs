//! The answer's JSON, the only place that knows it (contract 2.2): always HTTP 200, uid and version echoed, no patch.

use std::borrow::Cow;
use std::fmt;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use smallvec::SmallVec;

use super::review::Version;
use crate::policy::render::{FieldPath, Message};
use crate::policy::text::cut;
use crate::policy::{Decision, RuleSet};

/// What an answer says.
#[derive(Debug, Default)]
pub struct Answer<'a> {
    /// Whether the request may go on.
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

#[derive(Debug, Serialize)]
struct Cause {
    reason: &'static str,
    message: String,
    field: String,
}

/// What the API server writes into its audit log, prefixed with the webhook's name.
#[derive(Debug)]
struct Audit<'a>(&'a Decision<'a>);

impl Serialize for Audit<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rules: SmallVec<[&str; 8]> = self.0.rules().map(|(rule, _)| rule.name()).collect();
        rules.sort_unstable();
        let mut audit = serializer.serialize_struct("Audit", 3)?;
        audit.serialize_field("mode", self.0.mode.as_str())?;
        audit.serialize_field("persona", &Joined(self.0.personas()))?;
        audit.serialize_field("rules", &Joined(rules.iter().copied()))?;
        audit.end()
    }
}

/// Words with commas between them, written without being put together first.
struct Joined<I>(I);

impl<'w, I: Iterator<Item = &'w str> + Clone> fmt::Display for Joined<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, word) in self.0.clone().enumerate() {
            f.write_str(if position == 0 { "" } else { "," })?;
            f.write_str(word)?;
        }
        Ok(())
    }
}

impl<'w, I: Iterator<Item = &'w str> + Clone> Serialize for Joined<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Causes in one answer: a machine that needs more asks the command line.
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

    /// Allowed although it was not checked: our trouble is not the user's, but they hear of it.
    pub fn unchecked(warning: String) -> Self {
        Answer {
            warnings: vec![warning],
            ..Answer::allowed("not checked")
        }
    }

    /// Not allowed, for a reason that is not a finding.
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
        let cause = |charge: &crate::policy::Charge<'_>| Cause {
            reason: charge.finding().rule.name(),
            message: cut(Message(charge.finding()), 256),
            field: cut(FieldPath(charge.finding()), 512),
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
        let (kind, api_version) = (Some("AdmissionReview"), Some(version.api_version()));
        self.encode(&Envelope {
            kind,
            api_version,
            response: self.response(uid),
        })
    }

    /// Contract 2.2's error body: no kind, no version, no uid, so that an API server regards the call as failed and
    /// applies its failurePolicy.
    pub fn to_broken_json(&self) -> Vec<u8> {
        self.encode(&Envelope {
            kind: None,
            api_version: None,
            response: self.response(""),
        })
    }

    fn encode(&self, envelope: &Envelope<'_>) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.size());
        // Strings and numbers into memory: there is nothing that could fail.
        let _ = serde_json::to_writer(&mut bytes, envelope);
        bytes
    }

    /// About how many bytes it needs, so that the allocator is asked once.
    fn size(&self) -> usize {
        let warnings: usize = self.warnings.iter().map(|warning| warning.len() + 3).sum();
        let cause = |cause: &Cause| cause.message.len() + cause.field.len() + 80;
        let causes: usize = self.causes.iter().map(cause).sum();
        512 + self.message.len() * 17 / 16 + warnings + causes
    }

    fn response<'s>(&'s self, uid: &'s str) -> Response<'s> {
        let status = Status {
            metadata: Empty {},
            message: &self.message,
            reason: (self.code == 403).then_some("Forbidden"),
            details: (!self.causes.is_empty()).then_some(Details { causes: &self.causes }),
            code: self.code,
        };
        let (warnings, audit_annotations) = (&self.warnings, self.audit.as_ref());
        Response {
            uid,
            allowed: self.allowed,
            status,
            audit_annotations,
            warnings,
        }
    }
}

#[derive(Serialize)]
struct Envelope<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(rename = "apiVersion", skip_serializing_if = "Option::is_none")]
    api_version: Option<&'static str>,
    response: Response<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    uid: &'a str,
    allowed: bool,
    status: Status<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audit_annotations: Option<&'a Audit<'a>>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    warnings: &'a [String],
}

#[derive(Serialize)]
struct Status<'a> {
    metadata: Empty,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details<'a>>,
    code: u16,
}

#[derive(Serialize)]
struct Details<'a> {
    causes: &'a [Cause],
}

#[derive(Serialize)]
struct Empty {}
