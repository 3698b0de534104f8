//! The detector in this process: its real handler, its real edges and the real SDK, on a clock that does not wait. The
//! requests end in a function call instead of a socket.

use std::{
    collections::VecDeque,
    fmt, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use aws_config::{BehaviorVersion, Region};
use aws_sdk_s3::{
    config::retry::{RetryPartition, TokenBucket},
    config::{Credentials, HttpClient, RuntimeComponents, SharedHttpClient, http::HttpRequest, http::HttpResponse},
    primitives::SdkBody,
};
use aws_smithy_async::time::TimeSource;
use aws_smithy_runtime_api::{
    client::{
        http::{HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
        result::ConnectorError,
    },
    http::StatusCode,
};
use bytes::Bytes;
use detector::{
    config::{AlertFormat, Config},
    findings_topic::Topics,
    handler::{Failed, Handler},
    live_rules::{Fixed, LiveRules},
    log_bucket::S3LogBucket,
    rules_prefix::{Place, RulesPrefix},
    sdk,
};
use http_body::Frame;
use serde_json::Value;
use tokio::{sync::Notify, time::Instant};

use crate::{
    balance,
    samples::{BUCKET, NOW_MS},
};

use super::{
    edge::{Answer, Edge, End, Memory, Reply, Request},
    kinds::Kind,
    lambda::{Function, Outcome},
    rule_files::{lists_uri, rules_uri},
};

type Detector = Handler<S3LogBucket, Topics<aws_sdk_sns::Client>, RulesPrefix>;

pub(super) const FINDINGS_TOPIC: &str = "arn:aws:sns:eu-central-1:111122223333:findings";
pub(super) const ALERTS_TOPIC: &str = "arn:aws:sns:eu-central-1:111122223333:alerts";

/// Where the requests of the SDK end.
#[derive(Clone)]
struct Wire {
    edge: Arc<Edge<Memory>>,
    killed: Arc<Notify>,
    read_timeout: Option<Duration>,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

impl HttpClient for Wire {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Self { read_timeout: settings.read_timeout(), ..self.clone() })
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let wire = self.clone();
        HttpConnectorFuture::new(async move {
            // On the way, so that requests overtake each other.
            tokio::time::sleep(Duration::from_millis(fastrand::u64(1..40))).await;
            let (_, path) = request.uri().split_once("://").and_then(|(_, rest)| rest.split_once('/')).unwrap();
            let body = request.body().bytes().unwrap_or_default();
            let path = format!("/{path}");
            let reply = wire.edge.answer(&Request { method: request.method(), path: &path, body });
            let gone = |kind: io::ErrorKind| ConnectorError::io(io::Error::from(kind).into());
            match reply {
                Reply::Refused => Err(gone(io::ErrorKind::ConnectionRefused)),
                Reply::Reset => Err(gone(io::ErrorKind::ConnectionReset)),
                Reply::Stalls => {
                    // What the SDK's own client does, which is the only one that knows this timeout.
                    tokio::time::sleep(wire.read_timeout.expect("a read timeout is set")).await;
                    Err(ConnectorError::timeout(io::Error::from(io::ErrorKind::TimedOut).into()))
                }
                Reply::Killed => {
                    wire.killed.notify_one();
                    std::future::pending().await
                }
                Reply::Answer(answer) => Ok(response(answer)),
            }
        })
    }
}

fn response(answer: Answer) -> HttpResponse {
    let length = answer.length;
    let pieces = answer.body.chunks(4_096).map(Bytes::copy_from_slice).collect();
    // A client that was told a length reads no further, and knows when it was told too much.
    let short = answer.body.len() < length && answer.end != End::HeadAlone;
    let end = if short && answer.end == End::Closed { End::Reset } else { answer.end };
    let body = SdkBody::from_body_1_x(Body { pieces, end });
    let mut response = HttpResponse::new(StatusCode::try_from(answer.status).unwrap(), body);
    for (name, value) in answer.headers {
        response.headers_mut().insert(name, value);
    }
    response.headers_mut().insert("content-length", length.to_string());
    response
}

/// A body on its way.
struct Body {
    pieces: VecDeque<Bytes>,
    end: End,
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match (self.pieces.pop_front(), self.end) {
            (Some(piece), _) => Poll::Ready(Some(Ok(Frame::data(piece)))),
            (None, End::Closed | End::HeadAlone) => Poll::Ready(None),
            (None, End::Reset) => {
                self.end = End::Closed;
                Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into())))
            }
            // Nothing ever wakes it.
            (None, End::Stalls) => Poll::Pending,
        }
    }
}

/// The SDK measures throughput by it, so it must be the clock that it sleeps by.
#[derive(Debug)]
struct PausedClock(Instant);

impl TimeSource for PausedClock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(NOW_MS.unsigned_abs()) + self.0.elapsed()
    }
}

/// The function in this process.
pub(super) struct InProcess {
    edge: Arc<Edge<Memory>>,
    killed: Arc<Notify>,
    warm: Option<Detector>,
    timeout: Duration,
    took: Duration,
    with_rules: bool,
    began: Instant,
    /// What was wrong with an invocation, whatever it answered.
    pub(super) wrong: Vec<String>,
}

impl InProcess {
    pub(super) fn new(edge: Arc<Edge<Memory>>, timeout: Duration, with_rules: bool) -> Self {
        Self {
            edge,
            killed: Arc::new(Notify::new()),
            warm: None,
            timeout,
            took: Duration::ZERO,
            with_rules,
            began: Instant::now(),
            wrong: Vec::new(),
        }
    }

    /// As `main` of the detector does it, but for where requests end.
    fn cold_start(&self) -> Detector {
        self.edge.state().rules.in_force = false;
        let set = [("LOG_BUCKETS", BUCKET), ("FINDINGS_TOPIC_ARN", FINDINGS_TOPIC), ("ALERTS_TOPIC_ARN", ALERTS_TOPIC)];
        let config =
            Config::read(|name| set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()));
        let wire = Wire { edge: self.edge.clone(), killed: self.killed.clone(), read_timeout: None };
        let partition = || RetryPartition::custom("run").token_bucket(TokenBucket::default()).build();
        let clients = aws_config::SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .endpoint_url("http://127.0.0.1")
            .credentials_provider(aws_sdk_s3::config::SharedCredentialsProvider::new(Credentials::for_tests()))
            .http_client(SharedHttpClient::new(wire))
            .time_source(PausedClock(Instant::now()))
            .sleep_impl(aws_sdk_s3::config::SharedAsyncSleep::new(aws_smithy_async::rt::sleep::TokioSleep::new()))
            .retry_config(sdk::retries())
            .timeout_config(sdk::timeouts())
            .build();
        let s3 =
            aws_sdk_s3::config::Builder::from(&clients).force_path_style(true).retry_partition(partition()).build();
        let sns = aws_sdk_sns::config::Builder::from(&clients).retry_partition(partition()).build();
        let topics = Topics::new(
            aws_sdk_sns::Client::from_conf(sns),
            FINDINGS_TOPIC.to_owned(),
            Some(ALERTS_TOPIC.to_owned()),
            AlertFormat::Text,
        );
        let s3 = aws_sdk_s3::Client::from_conf(s3);
        let rules = if self.with_rules {
            let source = RulesPrefix::new(s3.clone(), Some(place(&rules_uri())), Some(place(&lists_uri())));
            LiveRules::from_source(source, Fixed::default())
        } else {
            LiveRules::fixed(Fixed::default())
        };
        Handler::new(config.unwrap(), rules, S3LogBucket::new(s3), topics, || NOW_MS)
    }
}

fn place(uri: &str) -> Place {
    let (bucket, key) = uri.trim_start_matches("s3://").split_once('/').unwrap();
    Place { bucket: bucket.to_owned(), key: key.to_owned() }
}

impl Function for InProcess {
    async fn invoke(&mut self, payload: &Value) -> Outcome {
        // What happens between invocations takes its time for the detector, too.
        let now = self.edge.state().now;
        tokio::time::sleep_until(self.began + now).await;
        let detector = self.warm.take().unwrap_or_else(|| self.cold_start());
        let started = Instant::now();
        let ended = tokio::select! {
            biased;
            () = self.killed.notified() => None,
            invocation = balance::woken(&detector, payload.clone(), self.timeout) => Some(invocation),
        };
        self.took = started.elapsed();
        let Some((invocation, problems)) = ended else {
            // A process that is out of time is ended when its time is over.
            if self.edge.state().killed.take() == Some(Kind::FunctionTimeout) {
                self.took = self.timeout;
            }
            return Outcome::Died;
        };
        if self.took >= self.timeout {
            self.wrong.push(format!("an invocation took {:?} of {:?}", self.took, self.timeout));
        }
        self.wrong.extend(problems);
        let ledger = &invocation.ledger;
        self.edge.state().rules.in_force = ledger.rule_files_refused == 0 && invocation.rule_set != "none";
        // Most functions stay warm.
        if fastrand::u32(0..10) > 0 {
            self.warm = Some(detector);
        }
        match invocation.answer {
            Ok(answer) => Outcome::Answered(answer),
            Err(Failed(problems)) => Outcome::Failed(problems.join("; ")),
        }
    }

    fn took(&self) -> Duration {
        self.took
    }
}
