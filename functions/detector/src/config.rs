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
        write!(f, "the environment variables are wrong: {}", self.0.join("; "))
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads the configuration through `get`, which answers what an environment variable holds.
    ///
    /// # Errors
    /// Names every variable that is missing or wrong, and what to set it to. An empty variable counts as missing.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut environment = Environment {
            get: |name: &str| get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty()),
            wrong: Vec::new(),
        };
        let config = Self {
            log_buckets: environment.log_buckets(),
            findings_topic_arn: environment.findings_topic(),
            alerts_topic_arn: environment.alerts_topic(),
            alert_min_severity: environment.choice("ALERT_MIN_SEVERITY", &SEVERITIES, Level::High),
            alert_format: environment.choice("ALERT_FORMAT", &ALERT_FORMATS, AlertFormat::Text),
            max_unpacked: environment.max_unpacked_mib() * 1024 * 1024,
            rules: environment.uri("RULES_URI", "a folder or s3://BUCKET/PREFIX", false),
            lists: environment.uri("LISTS_URI", "a file or s3://BUCKET/KEY", true),
            own_resources: environment.commas("OWN_RESOURCES"),
            log_level: environment.choice("LOG_LEVEL", &LOG_LEVELS, tracing::Level::INFO),
            function_name: environment.text("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_else(|| "bedrock-audit".to_owned()),
        };
        if environment.wrong.is_empty() { Ok(config) } else { Err(ConfigError(environment.wrong)) }
    }

    /// Whether people are told of a finding of this severity.
    #[must_use]
    pub fn alerts_on(&self, severity: Level) -> bool {
        self.alerts_topic_arn.is_some() && severity_id(severity) >= severity_id(self.alert_min_severity)
    }
}

const SEVERITIES: [(&str, Level); 5] = [
    ("informational", Level::Informational),
    ("low", Level::Low),
    ("medium", Level::Medium),
    ("high", Level::High),
    ("critical", Level::Critical),
];
const ALERT_FORMATS: [(&str, AlertFormat); 2] = [("text", AlertFormat::Text), ("chat", AlertFormat::Chat)];
const LOG_LEVELS: [(&str, tracing::Level); 5] = [
    ("error", tracing::Level::ERROR),
    ("warn", tracing::Level::WARN),
    ("info", tracing::Level::INFO),
    ("debug", tracing::Level::DEBUG),
    ("trace", tracing::Level::TRACE),
];
const DEFAULT_UNPACKED_MIB: u64 = 256;
/// A TiB: more is a slip of the keyboard.
const MOST_UNPACKED_MIB: u64 = 1024 * 1024;

/// Reads variable after variable, and gathers what is wrong with them.
struct Environment<G> {
    /// What a variable holds, if it holds anything.
    get: G,
    /// What to do about each that is wrong.
    wrong: Vec<String>,
}

impl<G: Fn(&str) -> Option<String>> Environment<G> {
    fn text(&self, name: &str) -> Option<String> {
        (self.get)(name)
    }

    /// What stands between commas.
    fn commas(&self, name: &str) -> Vec<String> {
        let value = self.text(name).unwrap_or_default();
        value.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
    }

    fn log_buckets(&mut self) -> Vec<String> {
        let log_buckets = self.commas("LOG_BUCKETS");
        if log_buckets.is_empty() {
            let wrong = "LOG_BUCKETS is missing, set it to the names of the log buckets, separated by commas";
            self.wrong.push(wrong.to_owned());
        }
        log_buckets
    }

    fn findings_topic(&mut self) -> String {
        let arn = self.text("FINDINGS_TOPIC_ARN").unwrap_or_default();
        if !is_topic_arn(&arn) {
            let wrong =
                "FINDINGS_TOPIC_ARN is missing or no standard topic's ARN, set it to arn:aws:sns:REGION:ACCOUNT:NAME";
            self.wrong.push(wrong.to_owned());
        }
        arn
    }

    fn alerts_topic(&mut self) -> Option<String> {
        let arn = self.text("ALERTS_TOPIC_ARN")?;
        if !is_topic_arn(&arn) {
            let wrong = "ALERTS_TOPIC_ARN is no standard topic's ARN, set it to arn:aws:sns:REGION:ACCOUNT:NAME or leave it out";
            self.wrong.push(wrong.to_owned());
        }
        Some(arn)
    }

    /// One of a few words, in upper or lower case.
    fn choice<T: Copy>(&mut self, name: &str, allowed: &[(&str, T)], default: T) -> T {
        let Some(value) = self.text(name) else { return default };
        if let Some((_, chosen)) = allowed.iter().find(|(word, _)| word.eq_ignore_ascii_case(&value)) {
            return *chosen;
        }
        let value = detection::text::neutral(&value, 40);
        let words: Vec<&str> = allowed.iter().map(|(word, _)| *word).collect();
        self.wrong.push(format!("{name} is `{value}`, set it to one of {}", words.join(", ")));
        default
    }

    fn max_unpacked_mib(&mut self) -> u64 {
        match self.text("MAX_UNPACKED_MIB").map(|value| value.parse()) {
            None => DEFAULT_UNPACKED_MIB,
            Some(Ok(mib @ 1..=MOST_UNPACKED_MIB)) => mib,
            Some(_) => {
                self.wrong
                    .push(format!("MAX_UNPACKED_MIB is wrong, set it to a whole number from 1 to {MOST_UNPACKED_MIB}"));
                DEFAULT_UNPACKED_MIB
            }
        }
    }

    fn uri(&mut self, name: &str, wanted: &str, key_needed: bool) -> Uri {
        let Some(uri) = self.text(name) else { return Uri::None };
        let (bucket, key) = match uri.split_once("://") {
            None => return Uri::Local(PathBuf::from(uri)),
            Some(("s3", place)) => place.split_once('/').unwrap_or((place, "")),
            Some(_) => ("", ""),
        };
        if bucket.is_empty() || (key_needed && key.is_empty()) {
            self.wrong.push(format!("{name} is wrong, set it to {wanted}"));
            return Uri::None;
        }
        Uri::S3(Place { bucket: bucket.to_owned(), key: key.to_owned() })
    }
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
