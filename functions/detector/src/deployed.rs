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
    rules_prefix::RulesPrefix,
    sdk,
};

/// The handler between S3 and SNS.
pub type Detector = Handler<S3LogBucket, Topics<aws_sdk_sns::Client>, RulesPrefix>;

/// Region, credentials and endpoint from the environment, and the patience of [`sdk`].
pub async fn aws() -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
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
    let topics = Topics::new(
        aws_sdk_sns::Client::new(aws),
        config.findings_topic_arn.clone(),
        config.alerts_topic_arn.clone(),
        config.alert_format,
    );
    let s3 = aws_sdk_s3::Client::new(aws);
    let (fixed, source) = rules(&config, &s3)?;
    let rules = match source {
        None => LiveRules::fixed(fixed),
        Some(source) => LiveRules::from_source(source, fixed),
    };
    Ok(Handler::new(config, rules, S3LogBucket::new(s3), topics, now_ms))
}

/// What is known of rules and lists from the start, and where more of them come from.
fn rules(config: &Config, s3: &aws_sdk_s3::Client) -> Result<(Fixed, Option<RulesPrefix>), String> {
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
            return Err(format!("RULES_URI ({at}) holds no .yml file; mend the path or leave it out"));
        }
    }
    let place = |uri: &Uri| match uri {
        Uri::S3(place) => Some(place.clone()),
        Uri::None | Uri::Local(_) => None,
    };
    let places = (place(&config.rules), place(&config.lists));
    let source = (places.0.is_some() || places.1.is_some()).then(|| RulesPrefix::new(s3.clone(), places.0, places.1));
    Ok((fixed, source))
}

/// Milliseconds since 1970.
#[must_use]
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|now| i64::try_from(now.as_millis()).ok()).unwrap_or(0)
}
