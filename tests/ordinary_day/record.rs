//! A call as CloudTrail writes it: its members in their order, what it leaves out left out. Knows no rule.

use std::fmt::Write as _;

use bedrock_audit_tests::dice::Dice;

use super::company::Caller;

/// A call before anybody has made it. In the texts `$A` is the account, `$R` the Region and `~` a random word.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    pub(super) caller: Caller,
    /// Without `.amazonaws.com`.
    pub(super) source: &'static str,
    pub(super) name: &'static str,
    pub(super) request: &'static str,
    pub(super) response: &'static str,
    pub(super) reads: bool,
    /// Code and message, where it is refused or fails.
    pub(super) error: Option<(&'static str, &'static str)>,
    /// The members between `responseElements` and `requestID`, each with its comma.
    pub(super) additional: &'static str,
    /// The type and the ARN of what a data event is about.
    pub(super) data: Option<(&'static str, &'static str)>,
}

/// A call that changes something; without an answer.
pub(super) const fn writes(caller: Caller, source: &'static str, name: &'static str, request: &'static str) -> Call {
    Call { caller, source, name, request, response: "null", reads: false, error: None, additional: "", data: None }
}

/// A call that looks.
pub(super) const fn reads(caller: Caller, source: &'static str, name: &'static str, request: &'static str) -> Call {
    Call { reads: true, ..writes(caller, source, name, request) }
}

impl Call {
    pub(super) const fn answers(self, response: &'static str) -> Self {
        Self { response, ..self }
    }

    pub(super) const fn fails(self, code: &'static str, message: &'static str) -> Self {
        Self { error: Some((code, message)), ..self }
    }

    /// `"name":{…}` to stand in `additionalEventData`.
    pub(super) const fn with(self, additional: &'static str) -> Self {
        Self { additional, ..self }
    }

    pub(super) const fn data_of(self, kind: &'static str, arn: &'static str) -> Self {
        Self { data: Some((kind, arn)), ..self }
    }

    /// The record of this call, made by this account at this second of the day.
    pub(super) fn record(&self, dice: &mut Dice<'_>, account: &str, region: &str, second: usize) -> String {
        let identity = self.caller.identity();
        let global = matches!(self.source, "iam" | "organizations" | "ce" | "health" | "support" | "aws-marketplace");
        let region = if global { "us-east-1" } else { region };
        let address = self.caller.address(dice);
        let agent = self.caller.agent(dice, self.source);
        let version = if self.source == "bedrock" && named_by_agents(self.name) { "1.09" } else { "1.11" };
        let mut text = format!(
            r#"{{"eventVersion":"{version}","userIdentity":{identity},"eventTime":"2026-11-19T{:02}:{:02}:{:02}Z","eventSource":"{}.amazonaws.com","eventName":"{}","awsRegion":"$R","sourceIPAddress":"{address}","userAgent":"{agent}","#,
            second / 3600,
            second / 60 % 60,
            second % 60,
            self.source,
            self.name,
        );
        if let Some((code, message)) = self.error {
            write!(text, r#""errorCode":"{code}","errorMessage":"{message}","#).unwrap();
        }
        // Whatever fails has no answer; a gateway answers all the same.
        let response = if self.error.is_some() { "null" } else { self.response };
        write!(text, r#""requestParameters":{},"responseElements":{response},"#, self.request).unwrap();
        if !self.additional.is_empty() {
            write!(text, r#""additionalEventData":{},"#, self.additional).unwrap();
        }
        write!(text, r#""requestID":"{}","eventID":"{}","readOnly":{},"#, uuid(dice), uuid(dice), self.reads).unwrap();
        if let Some((kind, arn)) = self.data {
            write!(text, r#""resources":[{{"accountId":"$A","type":"{kind}","ARN":"{arn}"}}],"#).unwrap();
        }
        let category = if self.data.is_some() { "Data" } else { "Management" };
        write!(
            text,
            r#""eventType":"AwsApiCall","managementEvent":{},"recipientAccountId":"$A",{}"eventCategory":"{category}""#,
            self.data.is_none(),
            if address.starts_with("10.") { r#""vpcEndpointId":"vpce-~","vpcEndpointAccountId":"$A","# } else { "" }
        )
        .unwrap();
        match self.caller {
            Caller::Person | Caller::Administrator => text.push_str(r#","sessionCredentialFromConsole":"true""#),
            caller if caller.is_a_service() || version == "1.09" => {}
            _ => write!(
                text,
                r#","tlsDetails":{{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"{}.$R.amazonaws.com"}}"#,
                self.source
            )
            .unwrap(),
        }
        text.push('}');
        filled(&text.replace("$A", account).replace("$R", region), dice)
    }
}

/// Records of the agents' API have had the older version for as long as there have been any.
fn named_by_agents(name: &str) -> bool {
    ["Agent", "KnowledgeBase", "DataSource", "Ingestion", "Flow", "Prompt"].iter().any(|part| name.contains(part))
}

/// `~` becomes a word, another one each time.
fn filled(text: &str, dice: &mut Dice<'_>) -> String {
    let mut filled = String::with_capacity(text.len() + 32);
    for (number, part) in text.split('~').enumerate() {
        if number > 0 {
            filled.push_str(&letters(dice, 10, b"abcdefghijklmnopqrstuvwxyz0123456789"));
        }
        filled.push_str(part);
    }
    filled
}

fn letters(dice: &mut Dice<'_>, length: usize, alphabet: &[u8]) -> String {
    (0..length).map(|_| char::from(dice.of(alphabet))).collect()
}

fn uuid(dice: &mut Dice<'_>) -> String {
    [8, 4, 4, 4, 12].map(|length| letters(dice, length, b"0123456789abcdef")).join("-")
}
