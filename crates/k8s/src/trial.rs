//! What an API server would say to a new object. Nothing is ever stored: every request here is a dry run, and there is no
//! other function that sends one of these.

use http_body_util::BodyExt;
use kube::Client;
use kube::api::{PostParams, Request};
use kube::client::Body;
use serde::Deserialize;
use serde_json::Value;

use super::error::CallError;
use super::object::ANSWER;
use super::resource::Resource;

/// An answer to a trial.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The HTTP status: 201 where the object would have been stored.
    pub code: u16,
    /// The texts of the `Warning` headers, in order.
    pub warnings: Vec<String>,
    /// Why it was refused; empty where it was not.
    pub message: String,
}

/// Asks for a new object as a dry run, by which everything is asked that would be, and nothing is written.
///
/// # Errors
/// There was no answer. A refusal is a [`Verdict`].
pub async fn try_out(
    client: &Client,
    resource: Resource,
    namespace: &str,
    object: &Value,
) -> Result<Verdict, CallError> {
    let params = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let request = Request::new(resource.collection(namespace)).create(&params, object.to_string().into_bytes());
    let request = request.map_err(|error| CallError::malformed(&error))?;
    let asked = async {
        let response = client.send(request.map(Body::from)).await?;
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok::<_, CallError>((head, body))
    };
    let (head, body) = tokio::time::timeout(ANSWER, asked).await.map_err(|_| CallError::no_answer())??;
    let warnings = head.headers.get_all(http::header::WARNING).iter();
    let warnings = warnings.filter_map(|value| warning(value.to_str().ok()?));
    Ok(Verdict {
        code: head.status.as_u16(),
        warnings: warnings.collect(),
        message: if head.status.is_success() {
            String::new()
        } else {
            refusal(&body)
        },
    })
}

/// The text in `299 - "text"`, without the escapes of a quoted string.
fn warning(header: &str) -> Option<String> {
    let (_, quoted) = header.split_once('"')?;
    let mut text = String::with_capacity(quoted.len());
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => return Some(text),
            '\\' => text.extend(characters.next()),
            other => text.push(other),
        }
    }
    None
}

/// The message of the status object that a refusal is; or whatever stands there instead.
fn refusal(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Status {
        message: String,
    }
    match serde_json::from_slice::<Status>(body) {
        Ok(status) => status.message,
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{refusal, warning};

    #[test]
    fn a_warning_is_the_text_between_the_quotes() {
        let read = |header| warning(header).unwrap_or_else(|| "nothing".to_owned());
        assert_eq!(read(r#"299 - "[api] no CPU limit""#), "[api] no CPU limit");
        assert_eq!(read(r#"299 - "a \"b\" \\c" "Thu, 01 Jan 2026""#), r#"a "b" \c"#);
        assert_eq!(read("299 - unquoted"), "nothing");
        assert_eq!(read(r#"299 - "never ends"#), "nothing");
    }

    #[test]
    fn a_refusal_is_the_message_or_the_body() {
        assert_eq!(refusal(br#"{"kind":"Status","message":"no"}"#), "no");
        assert_eq!(refusal(b"bad gateway"), "bad gateway");
    }
}
