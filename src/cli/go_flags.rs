//! Accepts command lines for the Go operator: long flags with a single dash, and the `--zap-*` flags of its logger.

use std::ffi::OsString;

use crate::telemetry::LogFormat;

/// The settings of our logger from the `--zap-*` flags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Zap {
    pub(super) level: Option<tracing::Level>,
    pub(super) format: Option<LogFormat>,
    /// Flags without effect, to log once.
    pub(super) ignored: Vec<String>,
}

/// Rewrites `-webhook-mode=x` to `--webhook-mode=x` and removes the `--zap-*` flags. Only for `serve`, since upstream's process
/// has no other command.
///
/// # Errors
/// A `--zap-log-level` or `--zap-encoder` with an invalid value, in one line.
pub(super) fn accept(args: impl IntoIterator<Item = OsString>) -> Result<(Vec<OsString>, Zap), String> {
    let mut args = args.into_iter();
    let mut kept: Vec<OsString> = args.by_ref().take(2).collect();
    let mut zap = Zap::default();
    if kept.get(1).is_none_or(|command| command != "serve") {
        kept.extend(args);
        return Ok((kept, zap));
    }
    while let Some(arg) = args.next() {
        let Some(text) = arg.to_str() else {
            kept.push(arg);
            continue;
        };
        let name = text.trim_start_matches('-');
        let dashes = text.len() - name.len();
        if name.starts_with("zap-") && (1..=2).contains(&dashes) {
            let (flag, value) = name
                .split_once('=')
                .map_or((name, None), |(flag, value)| (flag, Some(value)));
            let value = match (flag, value) {
                (_, Some(value)) => value.to_owned(),
                // `--zap-devel` is a boolean; the others take a value, as the next word.
                ("zap-devel", None) => "true".to_owned(),
                (_, None) => args
                    .next()
                    .map(|value| value.to_string_lossy().into_owned())
                    .unwrap_or_default(),
            };
            zap.read(flag, &value)?;
        } else if dashes == 1 && name.len() > 1 && name.starts_with(|first: char| first.is_ascii_lowercase()) {
            kept.push(format!("-{text}").into());
        } else {
            kept.push(arg);
        }
    }
    Ok((kept, zap))
}

impl Zap {
    fn read(&mut self, flag: &str, value: &str) -> Result<(), String> {
        match flag {
            "zap-log-level" => {
                self.level = Some(match value {
                    "debug" => tracing::Level::DEBUG,
                    "info" => tracing::Level::INFO,
                    "error" | "panic" => tracing::Level::ERROR,
                    // In zap, any number above zero means more debugging.
                    number if number.parse::<u32>().is_ok_and(|number| number > 0) => tracing::Level::TRACE,
                    _ => {
                        return Err(format!(
                            "--zap-log-level '{value}' is not one of debug, info, error, panic or a number above 0"
                        ));
                    }
                });
            }
            "zap-encoder" => {
                self.format = Some(match value {
                    "json" => LogFormat::Json,
                    "console" => LogFormat::Text,
                    _ => return Err(format!("--zap-encoder '{value}' is not one of json, console")),
                });
            }
            other => self.ignored.push(format!("--{other}")),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
