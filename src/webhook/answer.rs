//! The answer's JSON, the only place that knows it (contract 2.2): always HTTP 200, uid and version echoed, no patch.

use serde::Serialize;

use super::review::Version;
use crate::policy::render::{FieldPath, Message};
use crate::policy::text::cut;
use crate::policy::{Decision, Rule, RuleSet};

/// What an answer says.
#[derive(Debug, Default)]
pub struct Answer {
    /// Whether the request may go on.
    pub allowed: bool,
    /// `status.code`: 200, 403, or 400 and 413 for what could not be judged.
    pub code: u16,
    /// `status.message`.
    pub message: String,
    /// `warnings`.
    pub warnings: Vec<String>,
    causes: Vec<Cause>,
    audit: Option<Audit>,
}

#[derive(Debug, Serialize)]
struct Cause {
    reason: &'static str,
    message: String,
    field: String,
}

/// What the API server writes into its audit log, prefixed with the webhook's name.
#[derive(Debug, Serialize)]
struct Audit {
    mode: &'static str,
    persona: String,
    rules: String,
}

/// Causes in one answer: a machine that needs more asks the command line.
const CAUSES: usize = 100;

impl Answer {
    /// Allowed, with a message.
    pub fn allowed(message: impl Into<String>) -> Answer {
        Answer {
            allowed: true,
            code: 200,
            message: message.into(),
            ..Answer::default()
        }
    }

    /// Allowed although it was not checked: our trouble is not the user's, but they hear of it.
    pub fn unchecked(warning: String) -> Answer {
        Answer {
            warnings: vec![warning],
            ..Answer::allowed("not checked")
        }
    }

    /// Not allowed, for a reason that is not a finding.
    pub fn refused(code: u16, message: String) -> Answer {
        Answer {
            allowed: false,
            code,
            message,
            ..Answer::default()
        }
    }

    /// The answer to a decision; `message` and `warnings` come from `policy::answer`.
    pub fn decided(decision: &Decision<'_>, message: String, warnings: Vec<String>) -> Answer {
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
        let audit = complete.then(|| {
            let mut rules: Vec<&str> = decision.rules().into_keys().map(Rule::name).collect();
            rules.sort_unstable();
            let persona = decision.personas.join(",");
            Audit {
                mode: decision.mode.as_str(),
                persona,
                rules: rules.join(","),
            }
        });
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
        let mut bytes = Vec::with_capacity(512);
        // Strings and numbers into memory: there is nothing that could fail.
        let _ = serde_json::to_writer(&mut bytes, envelope);
        bytes
    }

    fn response<'a>(&'a self, uid: &'a str) -> Response<'a> {
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
    audit_annotations: Option<&'a Audit>,
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
