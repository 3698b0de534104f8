//! The environment of the function, read once and checked together. Makes no AWS client.

use std::{fmt, path::PathBuf};

use detection::rules::{Level, severity_id};

use crate::rules_prefix::Place;

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The only buckets that are read (`LOG_BUCKETS`, separated by commas).
    pub log_buckets: Vec<String>,
    /// Where findings go (`FINDINGS_TOPIC_ARN`).
    pub findings_topic_arn: String,
    /// Where alerts for people go (`ALERTS_TOPIC_ARN`); nowhere without it.
    pub alerts_topic_arn: Option<String>,
    /// The lowest severity that people are told of (`ALERT_MIN_SEVERITY`, default high).
    pub alert_min_severity: Level,
    /// How alerts are written (`ALERT_FORMAT`, default text).
    pub alert_format: AlertFormat,
    /// Most bytes that a log may unpack to (`MAX_UNPACKED_MIB`, default 256 MiB).
    pub max_unpacked: u64,
    /// Where more rules are (`RULES_URI`).
    pub rules: Uri,
    /// Where lists are that stand apart from the rules (`LISTS_URI`).
    pub lists: Uri,
    /// Entries of the list `own_resources`, beside those that the lists give it (`OWN_RESOURCES`, separated by commas).
    pub own_resources: Vec<String>,
    /// The least that is logged (`LOG_LEVEL`, default info).
    pub log_level: tracing::Level,
    /// The function's name, for its metrics (`AWS_LAMBDA_FUNCTION_NAME`, which Lambda sets).
    pub function_name: String,
}

/// Where rules or lists beside the built-in ones are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Uri {
    /// Nowhere: only the built-in ones are in force.
    None,
    /// On the function's disk, in a Lambda layer say: it cannot change while the function is warm.
    Local(PathBuf),
    /// In S3: a key, or a prefix of keys.
    S3(Place),
}

/// How an alert is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertFormat {
    /// Plain text, for mail.
    Text,
    /// Amazon Q Developer's custom notification, for Slack and Teams.
    Chat,
}

/// All that is wrong with the environment, in one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError(Vec<String>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the environment is not right: {}", self.0.join("; "))
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads the configuration through `get`, which answers what an environment variable holds.
    ///
    /// # Errors
    /// Names every variable that is missing or wrong, and what to set it to. An empty variable counts as missing.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let get = |name: &str| get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let mut wrong = Vec::new();

        let log_buckets = commas(get("LOG_BUCKETS"));
        if log_buckets.is_empty() {
            wrong
                .push("LOG_BUCKETS is missing, set it to the names of the log buckets, separated by commas".to_owned());
        }
        let findings_topic_arn = get("FINDINGS_TOPIC_ARN").unwrap_or_default();
        if !is_topic_arn(&findings_topic_arn) {
            wrong.push(
                "FINDINGS_TOPIC_ARN is missing or no standard topic's ARN, set it to arn:aws:sns:REGION:ACCOUNT:NAME"
                    .to_owned(),
            );
        }
        let alerts_topic_arn = get("ALERTS_TOPIC_ARN");
        if alerts_topic_arn.as_deref().is_some_and(|arn| !is_topic_arn(arn)) {
            wrong.push(
                "ALERTS_TOPIC_ARN is no standard topic's ARN, set it to arn:aws:sns:REGION:ACCOUNT:NAME or leave it out"
                    .to_owned(),
            );
        }
        let mut choice = |name: &str, allowed: &[&str], default: usize| {
            let Some(value) = get(name) else { return default };
            allowed.iter().position(|allowed| allowed.eq_ignore_ascii_case(&value)).unwrap_or_else(|| {
                let value = detection::text::neutral(&value, 40);
                wrong.push(format!("{name} is `{value}`, and none of {}", allowed.join(", ")));
                default
            })
        };
        const LEVELS: [Level; 5] = [Level::Informational, Level::Low, Level::Medium, Level::High, Level::Critical];
        let severity = choice("ALERT_MIN_SEVERITY", &LEVELS.each_ref().map(Level::as_str), 3);
        let format = choice("ALERT_FORMAT", &["text", "chat"], 0);
        let log_level = choice("LOG_LEVEL", &["error", "warn", "info", "debug", "trace"], 2);

        let mib = match get("MAX_UNPACKED_MIB").map(|value| value.parse::<u64>()) {
            None => 256,
            Some(Ok(mib @ 1..=1_048_576)) => mib,
            Some(_) => {
                wrong.push("MAX_UNPACKED_MIB is no whole number from 1 to 1048576".to_owned());
                256
            }
        };
        let mut uri = |name: &str, wanted: &str, key_needed: bool| {
            let Some(uri) = get(name) else { return Uri::None };
            let place = match uri.split_once("://") {
                None => return Uri::Local(PathBuf::from(uri)),
                Some(("s3", place)) => place.split_once('/').unwrap_or((place, "")),
                Some(_) => ("", ""),
            };
            if place.0.is_empty() || (key_needed && place.1.is_empty()) {
                wrong.push(format!("{name} is neither {wanted}"));
                return Uri::None;
            }
            Uri::S3(Place { bucket: place.0.to_owned(), key: place.1.to_owned() })
        };
        let rules = uri("RULES_URI", "a folder nor s3://BUCKET/PREFIX", false);
        let lists = uri("LISTS_URI", "a file nor s3://BUCKET/KEY", true);
        let own_resources = commas(get("OWN_RESOURCES"));
        if !wrong.is_empty() {
            return Err(ConfigError(wrong));
        }
        Ok(Self {
            log_buckets,
            findings_topic_arn,
            alerts_topic_arn,
            alert_min_severity: LEVELS.get(severity).copied().unwrap_or(Level::High),
            alert_format: if format == 1 { AlertFormat::Chat } else { AlertFormat::Text },
            max_unpacked: mib * 1024 * 1024,
            rules,
            lists,
            own_resources,
            log_level: [
                tracing::Level::ERROR,
                tracing::Level::WARN,
                tracing::Level::INFO,
                tracing::Level::DEBUG,
                tracing::Level::TRACE,
            ]
            .get(log_level)
            .copied()
            .unwrap_or(tracing::Level::INFO),
            function_name: get("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_else(|| "bedrock-audit".to_owned()),
        })
    }

    /// Whether people are told of a finding of this severity.
    #[must_use]
    pub fn alerts_on(&self, severity: Level) -> bool {
        self.alerts_topic_arn.is_some() && severity_id(severity) >= severity_id(self.alert_min_severity)
    }
}

/// What stands between commas.
fn commas(value: Option<String>) -> Vec<String> {
    let parts = value.iter().flat_map(|value| value.split(','));
    parts.map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

fn is_topic_arn(arn: &str) -> bool {
    let parts: Vec<&str> = arn.split(':').collect();
    matches!(parts.as_slice(), ["arn", partition, "sns", region, account, name]
        if partition.starts_with("aws") && !region.is_empty() && !account.is_empty() && !name.is_empty()
            // A FIFO topic wants a group for each message, and forgets duplicates after five minutes: retries take hours.
            && !name.ends_with(".fifo"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(set: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::read(|name| set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    const TOPIC: (&str, &str) = ("FINDINGS_TOPIC_ARN", "arn:aws:sns:eu-central-1:111122223333:findings");

    #[test]
    fn what_is_missing_is_all_named_in_one_sentence() {
        let error = read(&[("ALERT_MIN_SEVERITY", "urgent"), ("MAX_UNPACKED_MIB", "0")]).unwrap_err().to_string();
        for name in ["LOG_BUCKETS", "FINDINGS_TOPIC_ARN", "ALERT_MIN_SEVERITY", "MAX_UNPACKED_MIB"] {
            assert!(error.contains(name), "{error}");
        }
        assert!(!error.contains('\n'));
    }

    #[test]
    fn defaults_are_the_documented_ones() {
        let config = read(&[("LOG_BUCKETS", " a , b,"), TOPIC]).unwrap();
        assert_eq!(config.log_buckets, ["a", "b"]);
        assert_eq!((config.alert_min_severity, config.alert_format), (Level::High, AlertFormat::Text));
        assert_eq!((config.max_unpacked, config.log_level), (256 << 20, tracing::Level::INFO));
        assert!(!config.alerts_on(Level::Critical), "nobody is told without a topic");
    }

    #[test]
    fn wrong_values_are_refused_one_by_one() {
        for (name, value) in [
            ("LOG_BUCKETS", " , "),
            ("FINDINGS_TOPIC_ARN", "arn:aws:sqs:eu-central-1:111122223333:findings"),
            ("FINDINGS_TOPIC_ARN", "arn:aws:sns:eu-central-1:111122223333:findings.fifo"),
            ("ALERTS_TOPIC_ARN", "alerts"),
            ("ALERT_MIN_SEVERITY", "worst"),
            ("ALERT_FORMAT", "html"),
            ("LOG_LEVEL", "loud"),
            ("MAX_UNPACKED_MIB", "256MB"),
            ("MAX_UNPACKED_MIB", "-1"),
            ("RULES_URI", "https://example.com/rules"),
            ("RULES_URI", "s3://"),
            ("LISTS_URI", "s3://bucket"),
            ("LISTS_URI", "https://example.com/lists.yml"),
            ("MAX_UNPACKED_MIB", "1048577"),
        ] {
            let error = read(&[(name, value), ("LOG_BUCKETS", "a"), TOPIC]).unwrap_err().to_string();
            assert!(error.contains(name), "{name}={value}: {error}");
        }
    }
}
