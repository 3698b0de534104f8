//! The adapters, each before a server that gives one answer: what S3 and SNS say when things go wrong, and a local AWS
//! never does.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    thread,
};

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use detector::{
    findings_topic::{Entry, NotTaken, RequestError, Sns},
    handler::{FetchError, LogBody as _, LogBucket as _},
    live_rules::{Listed, RulesSource as _, Unread},
    log_bucket::S3LogBucket,
    notification::{Happened, ObjectEvent},
    rules_prefix::{Place, RulesPrefix},
};

use crate::samples::{BUCKET, audit, delete_guardrail, document, key};

/// An AWS that gives this answer to a request with this text in it, and to any other none. Without a length the answer ends with
/// the connection.
fn answering(asks_for: &'static str, status: u16, length: impl Into<Option<usize>>, body: &str) -> SdkConfig {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let length = length.into().map(|length| format!("Content-Length: {length}\r\n")).unwrap_or_default();
    let answer = format!("HTTP/1.1 {status} x\r\n{length}Connection: close\r\n\r\n{body}");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 64 * 1024];
            let mut got = stream.read(&mut request).unwrap();
            // The head, and whatever body it announces.
            while !complete(&request[..got]) {
                got += stream.read(&mut request[got..]).unwrap();
            }
            assert!(String::from_utf8_lossy(&request[..got]).contains(asks_for));
            stream.write_all(answer.as_bytes()).ok();
        }
    });
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .endpoint_url(endpoint)
        .retry_config(RetryConfig::disabled())
        .credentials_provider(SharedCredentialsProvider::new(Credentials::for_tests()))
        .build()
}

fn complete(request: &[u8]) -> bool {
    let request = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, body)) = request.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

async fn get(status: u16, length: usize, body: &str) -> Result<usize, FetchError> {
    let config = aws_sdk_s3::config::Builder::from(&answering("versionId=v7", status, length, body))
        .force_path_style(true)
        .build();
    let object = ObjectEvent {
        bucket: BUCKET.to_owned(),
        key: key("one"),
        version: Some("v7".to_owned()),
        happened: Happened::Created,
    };
    let mut body = S3LogBucket::new(aws_sdk_s3::Client::from_conf(config)).open(&object).await?;
    let mut bytes = 0;
    while let Some(piece) = body.next().await? {
        bytes += piece.len();
    }
    Ok(bytes)
}

/// Gone is a finding and settled; failed and broken come again. One taken for the other loses a log or never ends.
#[tokio::test]
async fn what_s3_says_is_sorted_into_gone_failed_and_broken() {
    let error = |code: &str| format!("<Error><Code>{code}</Code><Message>m</Message></Error>");
    assert_eq!(get(200, 5, "hello").await, Ok(5));
    for (status, code) in [(404, "NoSuchKey"), (404, "NoSuchVersion"), (405, "MethodNotAllowed")] {
        let body = error(code);
        assert_eq!(get(status, body.len(), &body).await, Err(FetchError::Gone), "{code}");
    }
    for (status, code, said) in [
        (404, "NoSuchBucket", "the bucket does not exist"),
        (403, "AccessDenied", "s3:GetObjectVersion"),
        (500, "InternalError", "InternalError"),
    ] {
        let body = error(code);
        let Err(FetchError::Failed(why)) = get(status, body.len(), &body).await else { panic!("{code}") };
        assert!(why.contains(said), "{why}");
    }
    for (status, page) in [(404, "<html>Not here</html>"), (404, ""), (405, "<html>No</html>")] {
        let answer = get(status, page.len(), page).await;
        assert!(
            matches!(answer, Err(FetchError::Failed(_))),
            "{status} {page}: not S3 said that, but something before it"
        );
    }
    assert!(matches!(get(200, 9, "hello").await, Err(FetchError::Broken(_))), "a body that is short is not whole");
}

async fn read_rule_file(
    status: u16,
    length: impl Into<Option<usize>>,
    body: &str,
    listed: u64,
) -> Result<String, Unread> {
    let config = aws_sdk_s3::config::Builder::from(&answering("GET /rules/a.yml", status, length, body))
        .force_path_style(true)
        .build();
    let place = Place { bucket: "rules".to_owned(), key: String::new() };
    let source = RulesPrefix::new(aws_sdk_s3::Client::from_conf(config), Some(place), None);
    let (path, version) = ("s3://rules/a.yml".to_owned(), "1".to_owned());
    source.read(&Listed { path, version, size: listed, is_lists: false }).await
}

/// A file that may be read the next time keeps a start from judging without it; one that nobody can read must not.
#[tokio::test]
async fn what_keeps_a_rule_file_from_being_read_is_its_own_or_will_pass() {
    assert_eq!(read_rule_file(200, 5, "rules", 5).await, Ok("rules".to_owned()));
    let error = |code: &str| format!("<Error><Code>{code}</Code><Message>m</Message></Error>");
    for (status, code, is_its_own) in [
        (403, "AccessDenied", true),
        (404, "NoSuchKey", true),
        (403, "InvalidObjectState", true),
        (400, "KMS.DisabledException", true),
        (400, "KMS.KMSInvalidStateException", true),
        (400, "InvalidRequest", true),
        (400, "KMS.ThrottlingException", false),
        (404, "NoSuchBucket", false),
        (400, "ExpiredToken", false),
        (503, "SlowDown", false),
        (500, "InternalError", false),
        (418, "SomethingNew", false),
    ] {
        let body = error(code);
        let unread = read_rule_file(status, body.len(), &body, 5).await.unwrap_err();
        assert_eq!(matches!(unread, Unread::Ever(_)), is_its_own, "{unread:?}");
    }
    for (what, length, body, listed) in
        [("half of it", 5, "rules", 10), ("more than it", 5, "rules", 4), ("it breaks off", 10, "rules", 10)]
    {
        let unread = read_rule_file(200, length, body, listed).await.unwrap_err();
        assert!(matches!(unread, Unread::Yet(_)), "{what}: {unread:?}");
    }
    // Something between us and S3 may leave out the length. What came is judged then.
    assert_eq!(read_rule_file(200, None, "rules", 5).await, Ok("rules".to_owned()));
    let large = "#".repeat((1 << 20) + 1);
    for (what, body, listed) in [("half of it", "rules", 10), ("more than it", "rules", 4), ("a flood", &large, 5)] {
        let unread = read_rule_file(200, None, body, listed).await.unwrap_err();
        assert!(matches!(unread, Unread::Yet(_)), "{what} without a length: {unread:?}");
    }
    let unread = read_rule_file(200, large.len(), &large, large.len() as u64).await.unwrap_err();
    assert_eq!(unread, Unread::Ever("it is larger than 1 MiB".to_owned()));
}

async fn publish(status: u16, body: &str) -> Result<Vec<NotTaken>, RequestError> {
    let finding = &audit(&document(&[delete_guardrail(1, &serde_json::json!({}))]), &key("log")).findings[0];
    let entry = Entry { message: "{}".to_owned(), attributes: finding.attributes() };
    let client = aws_sdk_sns::Client::new(&answering("PublishBatch", status, body.len(), body));
    Sns::publish_batch(&client, "arn:aws:sns:eu-central-1:111122223333:findings", &vec![entry; 3]).await
}

/// Whatever SNS does not say it took, it has not taken.
#[tokio::test]
async fn what_sns_took_is_only_what_it_names() {
    let body = "<PublishBatchResponse><PublishBatchResult><Successful><member><Id>0</Id><MessageId>m</MessageId></member>\
        </Successful><Failed><member><Id>2</Id><Code>InvalidParameter</Code><Message>too odd</Message>\
        <SenderFault>true</SenderFault></member></Failed></PublishBatchResult></PublishBatchResponse>";
    let not_taken = |at, sender_fault, why: &str| NotTaken { at, sender_fault, why: why.to_owned() };
    assert_eq!(
        publish(200, body).await.unwrap(),
        [not_taken(1, false, "SNS gave no answer for it"), not_taken(2, true, "InvalidParameter: too odd")]
    );
}

/// A request that is wrong is taken apart to find the wrong entry; nothing in it helps against the others.
#[tokio::test]
async fn what_sns_says_of_a_request_is_sorted() {
    for (status, code, wrong, said) in [
        (400, "InvalidParameter", true, "InvalidParameter"),
        (400, "KMSAccessDenied", false, "KMSAccessDenied"),
        (403, "AuthorizationError", false, "sns:Publish"),
        (404, "NotFound", false, "the topic does not exist"),
        (500, "InternalError", false, "InternalError"),
    ] {
        let body = format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>m</Message></Error></ErrorResponse>"
        );
        let (is_wrong, why) = match publish(status, &body).await.unwrap_err() {
            RequestError::Wrong(why) => (true, why),
            RequestError::Failed(why) => (false, why),
        };
        assert!(is_wrong == wrong && why.contains(said), "{code}: {why}");
    }
}
