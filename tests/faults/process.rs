//! The detector as Lambda runs it: the real `bootstrap`, woken over a Runtime API, before a proxy in front of a local AWS that
//! injects the faults into real connections.

use std::{
    collections::HashMap,
    env,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::Value;

use crate::{balance, samples::BUCKET};

use super::{
    edge::{Answer, Aws, Edge, End, Reply, Request, number},
    lambda::{Function, Outcome},
    rule_files::{lists_uri, rules_uri},
};

/// A local AWS, and the two topics in it.
#[derive(Debug, Clone)]
pub(super) struct Upstream {
    pub(super) address: SocketAddr,
    pub(super) findings_topic: String,
    pub(super) alerts_topic: String,
}

impl Upstream {
    fn send(&self, service: &str, method: &str, path: &str, body: &[u8]) -> (u16, HashMap<String, String>, Vec<u8>) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        // Whose request it is stands in the credential's scope; nobody looks at the signature.
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nAuthorization: AWS4-HMAC-SHA256 \
             Credential=AKIAIOSFODNN7EXAMPLE/20261122/eu-central-1/{service}/aws4_request, SignedHeaders=host, \
             Signature=x\r\n\r\n",
            self.address,
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut reader = BufReader::new(stream);
        let (first, headers) = head_of(&mut reader).unwrap();
        let mut body = Vec::new();
        reader.read_to_end(&mut body).unwrap();
        (first.split(' ').nth(1).unwrap().parse().unwrap(), headers, body)
    }
}

impl Aws for Upstream {
    fn get(&self, path: &str) -> Answer {
        let (status, _, body) = self.send("s3", "GET", path, b"");
        Answer { status, headers: Vec::new(), length: body.len(), body, end: End::Closed }
    }

    fn publish(&self, parameters: &[(String, String)]) -> Result<(), Answer> {
        // What is left of a batch is numbered anew.
        let mut numbers: Vec<usize> = Vec::new();
        let mut form = Vec::new();
        for (name, value) in parameters {
            let mut name = name.clone();
            if let Some(old) = number(&name) {
                if !numbers.contains(&old) {
                    numbers.push(old);
                }
                let new = numbers.iter().position(|number| *number == old).unwrap() + 1;
                name = name.replacen(&format!(".{old}."), &format!(".{new}."), 1);
            }
            let encoded = percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC);
            form.push(format!("{name}={encoded}"));
        }
        let (status, headers, body) = self.send("sns", "POST", "/", form.join("&").as_bytes());
        assert!(status == 200 && !String::from_utf8_lossy(&body).contains("<Code>"), "{status} {headers:?}");
        Ok(())
    }
}

/// First line and headers of a message; nothing when the other side has hung up.
fn head_of(reader: &mut BufReader<TcpStream>) -> Option<(String, HashMap<String, String>)> {
    let mut first = String::new();
    if reader.read_line(&mut first).ok()? == 0 {
        return None;
    }
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.insert(name.to_lowercase(), value.trim().to_owned()),
            None => return Some((first.trim_end().to_owned(), headers)),
        };
    }
}

/// Method, path and body of a request.
fn request_of(reader: &mut BufReader<TcpStream>) -> Option<(String, String, Vec<u8>)> {
    let (first, headers) = head_of(reader)?;
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let mut words = first.split(' ').map(str::to_owned);
    Some((words.next()?, words.next()?, body))
}

/// Serves connections on a free port, each with a thread of its own, until the tests end.
fn serve(connection: impl Fn(BufReader<TcpStream>) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let connection = Arc::new(connection);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // Head and body leave as two packets; Nagle's algorithm would hold the second back.
            stream.set_nodelay(true).ok();
            let connection = connection.clone();
            thread::spawn(move || connection(BufReader::new(stream)));
        }
    });
    address
}

/// What became of the function's process, or what it said.
enum Report {
    Answered(Vec<u8>),
    Failed(Vec<u8>),
    Killed,
}

/// The process that a fault may end, and who is to be told.
type Victim = Mutex<Option<(Arc<Mutex<Child>>, Sender<Report>)>>;

/// One process, and the Runtime API that it asks for work.
struct Sandbox {
    child: Arc<Mutex<Child>>,
    work: Sender<(Vec<u8>, u128)>,
    reports: Receiver<Report>,
    killed: Sender<Report>,
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap();
        child.kill().ok();
        child.wait().ok();
    }
}

/// The function as a process.
pub(super) struct Process {
    upstream: Upstream,
    proxy: SocketAddr,
    sandbox: Option<Sandbox>,
    victim: Arc<Victim>,
    timeout: Duration,
    took: Duration,
    with_rules: bool,
    pub(super) wrong: Arc<Mutex<Vec<String>>>,
}

impl Process {
    pub(super) fn new(edge: Arc<Edge<Upstream>>, upstream: Upstream, timeout: Duration, with_rules: bool) -> Self {
        let victim = Arc::new(Mutex::new(None));
        let to_kill = victim.clone();
        let proxy = serve(move |mut reader| {
            while let Some((method, path, body)) = request_of(&mut reader) {
                let reply = edge.answer(&Request { method: &method, path: &path, body: &body });
                if !give(reply, &mut reader, &to_kill) {
                    return;
                }
            }
        });
        Self {
            upstream,
            proxy,
            sandbox: None,
            victim,
            timeout,
            took: Duration::ZERO,
            with_rules,
            wrong: Arc::default(),
        }
    }

    fn cold_start(&self) -> Sandbox {
        let (work, to_do) = mpsc::channel::<(Vec<u8>, u128)>();
        let (say, reports) = mpsc::channel();
        let (to_do, killed) = (Mutex::new(to_do), say.clone());
        let runtime_api = serve(move |mut reader| {
            while let Some((method, path, body)) = request_of(&mut reader) {
                let reply = if method == "GET" && path.ends_with("/invocation/next") {
                    // Nothing more to do: the sandbox is ending.
                    let Ok((payload, deadline)) = to_do.lock().unwrap().recv() else { return };
                    let head = format!(
                        "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: one\r\nLambda-Runtime-Deadline-Ms: {deadline}\r\n\
                         Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:eu-central-1:111122223333:function:f\r\n\
                         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                        payload.len()
                    );
                    [head.into_bytes(), payload].concat()
                } else {
                    let report =
                        if path.ends_with("/response") { Report::Answered(body) } else { Report::Failed(body) };
                    say.send(report).ok();
                    b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n".to_vec()
                };
                if reader.get_mut().write_all(&reply).is_err() {
                    return;
                }
            }
        });
        let bootstrap = env::var("BEDROCK_AUDIT_BOOTSTRAP").expect("run by `make test` or `make faults`");
        let rules = [("RULES_URI", rules_uri()), ("LISTS_URI", lists_uri())];
        let mut child = Command::new(bootstrap)
            .env_clear()
            .envs(rules.into_iter().filter(|_| self.with_rules))
            .env("AWS_LAMBDA_RUNTIME_API", runtime_api.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "detector")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_ENDPOINT_URL", format!("http://{}", self.proxy))
            .env("AWS_REGION", "eu-central-1")
            .env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "local")
            .env("LOG_BUCKETS", BUCKET)
            .env("FINDINGS_TOPIC_ARN", &self.upstream.findings_topic)
            .env("ALERTS_TOPIC_ARN", &self.upstream.alerts_topic)
            .env("LOG_LEVEL", "error")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (lines, wrong) = (BufReader::new(child.stdout.take().unwrap()), self.wrong.clone());
        thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                wrong.lock().unwrap().extend(balance::problems_in(&line));
            }
        });
        Sandbox { child: Arc::new(Mutex::new(child)), work, reports, killed }
    }
}

/// Gives a reply. Answers whether the connection can be used again.
fn give(reply: Reply, reader: &mut BufReader<TcpStream>, victim: &Victim) -> bool {
    let until_given_up = |reader: &mut BufReader<TcpStream>| {
        reader.read_to_end(&mut Vec::new()).ok();
        false
    };
    match reply {
        Reply::Refused | Reply::Reset => false,
        Reply::Stalls => until_given_up(reader),
        Reply::Killed => {
            if let Some((child, killed)) = victim.lock().unwrap().take() {
                let mut child = child.lock().unwrap();
                child.kill().unwrap();
                child.wait().unwrap();
                killed.send(Report::Killed).unwrap();
            }
            false
        }
        Reply::Answer(answer) => {
            let mut head = format!("HTTP/1.1 {} x\r\nContent-Length: {}\r\n", answer.status, answer.length);
            for (name, value) in &answer.headers {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            let whole = [head.as_bytes(), b"\r\n", &answer.body].concat();
            let sent = reader.get_mut().write_all(&whole).is_ok();
            match answer.end {
                End::Closed => sent && answer.body.len() == answer.length,
                End::Reset => false,
                End::Stalls => until_given_up(reader),
                End::HeadAlone => sent,
            }
        }
    }
}

impl Function for Process {
    async fn invoke(&mut self, payload: &Value) -> Outcome {
        let sandbox = self.sandbox.take().unwrap_or_else(|| self.cold_start());
        *self.victim.lock().unwrap() = Some((sandbox.child.clone(), sandbox.killed.clone()));
        let started = Instant::now();
        let deadline = (SystemTime::now() + self.timeout).duration_since(UNIX_EPOCH).unwrap().as_millis();
        sandbox.work.send((payload.to_string().into_bytes(), deadline)).unwrap();
        let report = sandbox.reports.recv_timeout(self.timeout);
        self.took = started.elapsed();
        match report {
            Ok(Report::Answered(body)) => {
                self.sandbox = Some(sandbox);
                Outcome::Answered(serde_json::from_slice(&body).unwrap())
            }
            Ok(Report::Failed(body)) => {
                self.sandbox = Some(sandbox);
                Outcome::Failed(String::from_utf8(body).unwrap())
            }
            Ok(Report::Killed) => Outcome::Died,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                self.wrong.lock().unwrap().push(format!("no answer within {:?}", self.timeout));
                Outcome::Died
            }
        }
    }

    fn took(&self) -> Duration {
        self.took
    }
}
