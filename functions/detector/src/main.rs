//! Starts the Lambda: configuration, rules and clients are built once, then the runtime hands over one event after another.

use std::{
    env,
    io::{self, Write as _},
    process::ExitCode,
    time::SystemTime,
};

use detection::text;
use detector::{
    config::Config,
    deployed::{self, now_ms},
    handler::{Failed, time_left},
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
    let lines =
        tracing_subscriber::fmt::layer().json().flatten_event(true).with_current_span(false).with_writer(|| LogLines);
    tracing_subscriber::registry().with(lines).with(filter).init();
    // One invocation at a time is all that a function sees; the work is either waiting or one log's.
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run(config))
}

/// Standard output, for lines of JSON: keys and names in them were chosen by others, and people read them in terminals.
struct LogLines;

impl io::Write for LogLines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        io::stdout().write_all(text::json(&String::from_utf8_lossy(line)).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}

/// Handles one event after another, for as long as Lambda has any.
async fn run(config: Config) -> Result<(), lambda_runtime::Error> {
    let function_name = config.function_name.clone();
    let detector = deployed::detector(config, &deployed::aws().await)?;
    let (detector, function_name) = (&detector, function_name.as_str());
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| async move {
        let time_left = time_left(event.context.deadline(), SystemTime::now());
        let invocation = detector.handle(event.payload, time_left).await;
        let line = invocation.ledger.to_emf(function_name, &invocation.rule_set, now_ms()).to_string();
        if let Err(error) = writeln!(LogLines, "{line}") {
            error!(%error, "the ledger could not be written");
        }
        invocation.answer.map_err(|Failed(problems)| Diagnostic {
            error_type: "NotAudited".to_owned(),
            error_message: problems.join("; "),
        })
    }))
    .await
}
