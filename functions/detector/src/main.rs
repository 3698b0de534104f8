//! Starts the Lambda: configuration, rules and clients are built once, then the runtime hands over one event after another.

use std::{
    env, fs,
    io::{self, Write as _},
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};

use aws_config::BehaviorVersion;
use detection::rules::{Origin, RuleFile, read_folder};
use detector::{
    config::{Config, Uri},
    findings_topic::Topics,
    handler::{Failed, Handler, time_left},
    live_rules::{Fixed, LiveRules, RulesSource},
    log_bucket::S3LogBucket,
    rules_prefix::RulesPrefix,
    sdk,
};
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::Value;
use tracing::error;
use tracing_subscriber::{filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _};

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line of JSON, whatever has or has not been set up by now.
            let line =
                serde_json::json!({"level": "ERROR", "message": format!("bedrock-audit does not start: {error}")});
            // Nothing is left to tell it to if stderr is closed; the exit code says the same.
            drop(writeln!(io::stderr(), "{line}"));
            ExitCode::FAILURE
        }
    }
}

fn start() -> Result<(), lambda_runtime::Error> {
    let config = Config::read(|name| env::var(name).ok())?;
    // The SDK's and the runtime's own lines can quote what passes through them.
    let filter = Targets::new()
        .with_default(tracing::Level::WARN)
        .with_target("detector", config.log_level)
        .with_target("bootstrap", config.log_level);
    let lines = tracing_subscriber::fmt::layer().json().flatten_event(true).with_current_span(false);
    tracing_subscriber::registry().with(lines).with(filter).init();
    // One invocation at a time is all that a function sees; the work is either waiting or one log's.
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run(config))
}

async fn run(config: Config) -> Result<(), lambda_runtime::Error> {
    let aws = aws_config::defaults(BehaviorVersion::latest())
        .retry_config(sdk::retries())
        .timeout_config(sdk::timeouts())
        .load()
        .await;
    let topics = Topics::new(
        aws_sdk_sns::Client::new(&aws),
        config.findings_topic_arn.clone(),
        config.alerts_topic_arn.clone(),
        config.alert_format,
    );
    let s3 = aws_sdk_s3::Client::new(&aws);
    let log_bucket = S3LogBucket::new(s3.clone());
    let (fixed, source) = rules(&config, &s3)?;
    match source {
        None => serve(config, LiveRules::fixed(fixed), log_bucket, topics).await,
        Some(source) => serve(config, LiveRules::from_source(source, fixed), log_bucket, topics).await,
    }
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

/// Handles one event after another, for as long as Lambda has any.
async fn serve<R: RulesSource + Sync>(
    config: Config,
    rules: LiveRules<R>,
    log_bucket: S3LogBucket,
    topics: Topics<aws_sdk_sns::Client>,
) -> Result<(), lambda_runtime::Error> {
    let function_name = config.function_name.clone();
    let handler = Handler::new(config, rules, log_bucket, topics, now_ms);
    let (handler, function_name) = (&handler, function_name.as_str());
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| async move {
        let time_left = time_left(event.context.deadline(), SystemTime::now());
        let invocation = handler.handle(event.payload, time_left).await;
        let line = invocation.ledger.to_emf(function_name, &invocation.rule_set, now_ms());
        if let Err(error) = writeln!(io::stdout(), "{line}") {
            error!(%error, "the ledger could not be written");
        }
        invocation.answer.map_err(|Failed(problems)| Diagnostic {
            error_type: "NotAudited".to_owned(),
            error_message: problems.join("; "),
        })
    }))
    .await
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|now| i64::try_from(now.as_millis()).ok()).unwrap_or(0)
}
