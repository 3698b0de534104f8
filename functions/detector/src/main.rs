//! Starts the Lambda: configuration, rules and clients are built once, then the runtime hands over one event after another.

use std::{
    env,
    io::{self, Write as _},
    process::ExitCode,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_config::{BehaviorVersion, retry::RetryConfig, timeout::TimeoutConfig};
use detection::rules::{RuleSet, read_folder};
use detector::{
    config::Config,
    findings_topic::Topics,
    handler::{Failed, Handler},
    log_bucket::S3LogBucket,
};
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::Value;
use tracing::{error, warn};
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
    let (files, mut refused) = match &config.rules_dir {
        Some(folder) => match read_folder(folder) {
            Ok((files, refused)) if files.is_empty() && refused.is_empty() => {
                return Err(format!(
                    "RULES_DIR ({}) holds no .yml file; mend the path or leave it out",
                    folder.display()
                )
                .into());
            }
            Ok(read) => read,
            Err(error) => {
                return Err(format!("the rules in RULES_DIR ({}) cannot be listed: {error}", folder.display()).into());
            }
        },
        None => Default::default(),
    };
    let loaded = RuleSet::load(files);
    refused.extend(loaded.refused);
    for refused in &refused {
        error!(%refused, "a rule file was left out");
    }
    for warning in &loaded.warnings {
        warn!(%warning, "a rule file is odd");
    }

    let aws = aws_config::defaults(BehaviorVersion::latest())
        .retry_config(RetryConfig::standard().with_max_attempts(4))
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(3))
                .read_timeout(Duration::from_secs(10))
                .operation_attempt_timeout(Duration::from_secs(12))
                .operation_timeout(Duration::from_secs(30))
                .build(),
        )
        .load()
        .await;
    let topics = Topics::new(
        aws_sdk_sns::Client::new(&aws),
        config.findings_topic_arn.clone(),
        config.alerts_topic_arn.clone(),
        config.alert_format,
    );
    let log_bucket = S3LogBucket::new(aws_sdk_s3::Client::new(&aws));
    let function_name = config.function_name.clone();
    let handler = Handler::new(config, loaded.rule_set, refused, log_bucket, topics, now_ms);

    let (handler, function_name) = (&handler, function_name.as_str());
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| async move {
        let time_left = event.context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
        let invocation = handler.handle(event.payload, time_left).await;
        let line = invocation.ledger.to_emf(function_name, handler.rule_set().version(), now_ms());
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
