//! The company whose day it is: its accounts, and who calls in them. What it has approved stands in `events/stories/lists.yml`.

use bedrock_audit_tests::dice::Dice;

/// Twenty accounts. The first is the one that bedrock-audit is deployed in.
pub(super) const ACCOUNTS: [&str; 20] = [
    "111122223333",
    "123456789012",
    "111111111111",
    "222222222222",
    "333333333333",
    "444444444444",
    "555555555555",
    "666666666666",
    "777777777777",
    "888888888888",
    "999999999999",
    "101010101010",
    "121212121212",
    "131313131313",
    "141414141414",
    "151515151515",
    "161616161616",
    "171717171717",
    "181818181818",
    "191919191919",
];

/// The two Regions in use, the first much more.
pub(super) const REGIONS: [&str; 4] = ["eu-central-1", "eu-central-1", "eu-central-1", "eu-west-1"];

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    /// A task of an application.
    Application,
    /// The application's role, with AWS calling on its behalf.
    ApplicationThrough(&'static str),
    /// Somebody in the console, signed in through IAM Identity Center.
    Person,
    /// The same with more rights.
    Administrator,
    /// Somebody's command line.
    CommandLine,
    /// A pipeline that runs Terraform, with a role that its platform's token gives it.
    Pipeline,
    /// A pipeline that has CloudFormation do it.
    CloudFormation,
    /// A read-only scanner.
    Scanner,
    /// An AWS service as itself.
    Service(&'static str),
    /// A role that belongs to a service.
    LinkedRole(&'static str),
    /// A build server's user with a long-term key.
    BuildUser,
    /// A newcomer's user with a long-term key.
    Newcomer,
    /// A developer's Bedrock API key.
    ApiKey,
    /// The training pipeline.
    TrainingPipeline,
    /// An agent in AgentCore.
    AgentCoreAgent,
    /// A Bedrock agent.
    BedrockAgent,
    /// Somebody whom a gateway knows by a token.
    TokenBearer,
}

/// A role's session: principal, ARN, key and issuer in one.
fn session(role: &str, path: &str, session: &str, key: &str, more: &str) -> String {
    format!(
        r#"{{"type":"AssumedRole","principalId":"AROAEXAMPLE{key}:{session}","arn":"arn:aws:sts::$A:assumed-role/{role}/{session}","accountId":"$A","accessKeyId":"ASIAEXAMPLE{key}","sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"AROAEXAMPLE{key}","arn":"arn:aws:iam::$A:role/{path}{role}","accountId":"$A","userName":"{role}"}},"attributes":{{"creationDate":"2026-11-19T00:04:12Z","mfaAuthenticated":"false"}}}}{more}}}"#
    )
}

fn user(name: &str, id: &str, key: &str) -> String {
    format!(
        r#"{{"type":"IAMUser","principalId":"AIDAEXAMPLE{id}","arn":"arn:aws:iam::$A:user/{name}","accountId":"$A",{key}"userName":"{name}"}}"#
    )
}

impl Caller {
    /// The member `userIdentity`.
    pub(super) fn identity(self) -> String {
        const SSO: &str = "aws-reserved/sso.amazonaws.com/eu-central-1/";
        match self {
            Self::Application => session("SupportAssistantTask", "", "3f1c0example0d5e", "SUPPORT01", ""),
            Self::ApplicationThrough(service) => {
                let more = format!(r#","invokedBy":"{service}.amazonaws.com""#);
                session("SupportAssistantTask", "", "3f1c0example0d5e", "SUPPORT01", &more)
            }
            Self::Person => session("AWSReservedSSO_Developer_0example0", SSO, "jane.doe@example.com", "DEVELOPER", ""),
            Self::Administrator => {
                session("AWSReservedSSO_Administrator_0example1", SSO, "sam.ng@example.com", "ADMINISTR", "")
            }
            Self::CommandLine => {
                session("AWSReservedSSO_Developer_0example0", SSO, "li.wei@example.com", "DEVCMDLIN", "")
            }
            Self::Pipeline => session("DeployPipeline", "cicd/", "run-~", "PIPELINE1", ""),
            Self::CloudFormation => session(
                "DeployPipeline",
                "cicd/",
                "run-4711",
                "PIPELINE2",
                r#","invokedBy":"cloudformation.amazonaws.com""#,
            ),
            Self::Scanner => session("SecurityAudit", "", "posture-scan", "SCANNER01", ""),
            Self::Service(service) => format!(r#"{{"type":"AWSService","invokedBy":"{service}.amazonaws.com"}}"#),
            Self::LinkedRole(service) => {
                let path = format!("aws-service-role/{service}.amazonaws.com/");
                let more = format!(r#","invokedBy":"{service}.amazonaws.com""#);
                session(&format!("AWSServiceRoleFor-{service}"), &path, "aws-session", "LINKEDROL", &more)
            }
            Self::BuildUser => user("build-artifacts", "BUILDUSER", r#""accessKeyId":"AKIAEXAMPLEBUILDER01","#),
            Self::Newcomer => user("alex.newcomer", "NEWCOMER1", r#""accessKeyId":"AKIAEXAMPLENEWCOMER1","#),
            Self::ApiKey => user("BedrockAPIKey-0ex1", "APIKEYUSR", ""),
            Self::TrainingPipeline => session("TrainingPipeline", "", "nightly", "TRAINING1", ""),
            Self::AgentCoreAgent => {
                session("AgentCore-support-eu-central-1", "", "BedrockAgentCore-~", "AGENTCORE", "")
            }
            Self::BedrockAgent => {
                session("AmazonBedrockExecutionRoleForAgents_0example", "", "BedrockAgents-~", "BEDAGENT1", "")
            }
            Self::TokenBearer => r#"{"type":"AWSAccount","principalId":"","accountId":"anonymous"}"#.to_owned(),
        }
    }

    /// Whether AWS itself makes the call.
    pub(super) fn is_a_service(self) -> bool {
        self.service().is_some()
    }

    fn service(self) -> Option<&'static str> {
        match self {
            Self::ApplicationThrough(service) | Self::Service(service) | Self::LinkedRole(service) => Some(service),
            Self::CloudFormation => Some("cloudformation"),
            _ => None,
        }
    }

    /// The member `sourceIPAddress`: offices and their VPN, or the applications' way out.
    pub(super) fn address(self, dice: &mut Dice<'_>) -> String {
        match self {
            caller if caller.is_a_service() => format!("{}.amazonaws.com", caller.service().unwrap()),
            Self::Person | Self::Administrator | Self::CommandLine | Self::Newcomer | Self::ApiKey => {
                format!("203.0.113.{}", 10 + dice.below(60))
            }
            // Through a VPC endpoint, whose calls show where in the network they come from.
            Self::Application if dice.one_in(3) => format!("10.0.{}.{}", dice.below(4), 4 + dice.below(250)),
            _ => format!("192.0.2.{}", 10 + dice.below(80)),
        }
    }

    /// The member `userAgent`.
    pub(super) fn agent(self, dice: &mut Dice<'_>, source: &str) -> String {
        const BOTO: &str = "Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1 os/linux#6.1.0 md/arch#x86_64 lang/python#3.12.7 md/pyimpl#CPython cfg/retry-mode#standard Botocore/1.44.5";
        const JAVA: &str = "aws-sdk-java/2.37.4 md/io#async md/http#NettyNio ua/2.1 os/Linux#6.1.0 lang/java#21.0.9 md/OpenJDK_64-Bit_Server_VM exec-env/AWS_ECS_FARGATE";
        const BROWSER: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";
        match self {
            caller if caller.is_a_service() => format!("{}.amazonaws.com", caller.service().unwrap()),
            Self::Person | Self::Administrator => BROWSER.to_owned(),
            Self::CommandLine | Self::Newcomer => {
                format!("aws-cli/2.32.3 md/awscrt#0.28.4 ua/2.1 os/macos#25.1.0 md/arch#arm64 lang/python#3.13.9 md/pyimpl#CPython cfg/retry-mode#standard md/installer#exe md/prompt#off md/command#{source}")
            }
            Self::Pipeline => "APN/1.0 HashiCorp/1.0 Terraform/1.13.4 (+https://www.terraform.io) terraform-provider-aws/6.21.0 (+https://registry.terraform.io/providers/hashicorp/aws) aws-sdk-go-v2/1.39.6 ua/2.1 os/linux lang/go#1.25.3 md/GOOS#linux md/GOARCH#amd64".to_owned(),
            Self::ApiKey => "python-httpx/0.28.1".to_owned(),
            Self::TokenBearer => "node".to_owned(),
            Self::Application => dice.of(&[BOTO, BOTO, JAVA]).to_owned(),
            _ => BOTO.to_owned(),
        }
    }
}
