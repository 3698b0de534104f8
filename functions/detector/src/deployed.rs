//! The detector as it is deployed: its clients, rules and edges, put together once from its configuration. Knows no event.

use std::{
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

use aws_config::{BehaviorVersion, SdkConfig};
use detection::rules::{Origin, RuleFile, read_folder};

use crate::{
    config::{Config, Uri},
    findings_topic::Topics,
    handler::Handler,
    live_rules::{Fixed, LiveRules},
    log_bucket::S3LogBucket,
    rules_prefix::{Place, RulesPrefix},
    sdk,
};

/// The handler between S3 and SNS.
pub type Detector = Handler<S3LogBucket, Topics<aws_sdk_sns::Client>, RulesPrefix>;

/// Region, credentials and endpoint from the environment, and the patience of [`sdk`].
pub async fn aws() -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(sdk::https())
        .retry_config(sdk::retries())
        .timeout_config(sdk::timeouts())
        .load()
        .await
}

/// Puts the detector together.
///
/// # Errors
/// When rules or lists that the configuration names on this disk cannot be read, or hold none.
pub fn detector(config: Config, aws: &SdkConfig) -> Result<Detector, String> {
    let fixed = fixed(&config)?;
    let (s3, sns) = (aws_sdk_s3::Client::new(aws), aws_sdk_sns::Client::new(aws));
    let rules = match (place(&config.rules), place(&config.lists)) {
        (None, None) => LiveRules::fixed(fixed),
        (rules, lists) => LiveRules::from_source(RulesPrefix::new(s3.clone(), rules, lists), fixed),
    };
    let topics =
        Topics::new(sns, config.findings_topic_arn.clone(), config.alerts_topic_arn.clone(), config.alert_format);
    Ok(Handler::new(config, rules, S3LogBucket::new(s3), topics, now_ms))
}

/// What is known of rules and lists from the start.
fn fixed(config: &Config) -> Result<Fixed, String> {
    let mut fixed = Fixed::default();
    fixed.lists.keep("own_resources", &config.own_resources);
    if let Uri::Local(path) = &config.lists {
        let at = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|error| format!("LISTS_URI ({at}) cannot be read: {error}"))?;
        let file = RuleFile { path: at, text, origin: Origin::Outside };
        fixed.lists.replace(&file).map_err(|refused| format!("LISTS_URI is wrong: {refused}"))?;
    }
    if let Uri::Local(folder) = &config.rules {
        let at = folder.display();
        (fixed.files, fixed.unread) =
            read_folder(folder).map_err(|error| format!("the rules in RULES_URI ({at}) cannot be listed: {error}"))?;
        if fixed.files.is_empty() && fixed.unread.is_empty() {
            return Err(format!("RULES_URI ({at}) holds no .yml file; correct the path or leave it out"));
        }
    }
    Ok(fixed)
}

fn place(uri: &Uri) -> Option<Place> {
    match uri {
        Uri::S3(place) => Some(place.clone()),
        Uri::None | Uri::Local(_) => None,
    }
}

/// Milliseconds since 1970.
#[must_use]
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|now| i64::try_from(now.as_millis()).ok()).unwrap_or(0)
}
