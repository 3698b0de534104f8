//! Models and agents at work, and people and scanners who look at them: calls with their share of a hundred thousand.
//! Knows no rule.

use super::{
    company::Caller::{
        AgentCoreAgent, ApiKey, Application, BedrockAgent, CommandLine, Person, Pipeline, Scanner, TokenBearer,
    },
    record::{Call, reads, writes},
};

const SONNET: &str = r#"{"modelId":"eu.anthropic.claude-sonnet-4-5-20250929-v1:0"}"#;
const HAIKU: &str = r#"{"modelId":"eu.anthropic.claude-haiku-4-5-20251001-v1:0"}"#;
const ANSWERED: &str = r#"{"inferenceRegion":"eu-west-3"}"#;
const GATEWAY: (&str, &str) =
    ("AWS::BedrockAgentCore::Gateway", "arn:aws:bedrock-agentcore:$R:$A:gateway/orders-gw-ex4mple1ab");
const TOKEN: &str = r#"{"targetId":"TGTEXAMPL1","jwt":{"headers":{"alg":"RS256"},"claims":{"sub":"example-client-7","token_use":"access","scope":"orders/read"},"type":"JWS"}}"#;

/// What happens in accounts that use Bedrock.
pub(super) const BEDROCK: &[(usize, Call)] = &[
    (20_000, reads(Application, "bedrock", "InvokeModel", SONNET).with(ANSWERED)),
    (14_000, reads(Application, "bedrock", "InvokeModelWithResponseStream", SONNET).with(ANSWERED)),
    (9_000, reads(Application, "bedrock", "Converse", HAIKU).with(ANSWERED)),
    (7_000, reads(Application, "bedrock", "ConverseStream", HAIKU).with(ANSWERED)),
    (8_000, reads(Application, "bedrock", "InvokeModel", r#"{"modelId":"amazon.titan-embed-text-v2:0"}"#)),
    (2_000, reads(Application, "bedrock", "Converse", r#"{"modelId":"arn:aws:bedrock:eu-central-1:111122223333:application-inference-profile/chatexample1"}"#)),
    (2_000, reads(BedrockAgent, "bedrock", "InvokeModel", r#"{"modelId":"arn:aws:bedrock:$R:$A:inference-profile/eu.anthropic.claude-sonnet-4-5-20250929-v1:0"}"#).with(ANSWERED)),
    (600, reads(Application, "bedrock", "InvokeModel", SONNET).fails("ThrottlingException", "Too many tokens, please wait before trying again.")),
    (150, reads(Application, "bedrock", "Converse", HAIKU).fails("ValidationException", "Input is too long for requested model.")),
    (60, reads(Application, "bedrock", "InvokeModel", SONNET).fails("ModelTimeoutException", "The model did not answer in time.")),
    (60, reads(Application, "bedrock", "InvokeModelWithResponseStream", SONNET).fails("ServiceUnavailableException", "Bedrock is unable to process your request.")),
    (4_000, reads(Application, "bedrock", "ApplyGuardrail", r#"{"guardrailIdentifier":"gr4example7k2","guardrailVersion":"3","source":"INPUT"}"#)
        .data_of("AWS::Bedrock::Guardrail", "arn:aws:bedrock:$R:$A:guardrail/gr4example7k2")),
    (4_000, reads(Application, "bedrock", "Retrieve", r#"{"knowledgeBaseId":"KBEXAMPLE1","retrievalQuery":"HIDDEN_DUE_TO_SECURITY_REASONS"}"#)
        .data_of("AWS::Bedrock::KnowledgeBase", "arn:aws:bedrock:$R:$A:knowledge-base/KBEXAMPLE1")),
    (2_000, reads(Application, "bedrock", "RetrieveAndGenerate", r#"{"input":"HIDDEN_DUE_TO_SECURITY_REASONS","retrieveAndGenerateConfiguration":{"type":"KNOWLEDGE_BASE","knowledgeBaseConfiguration":{"knowledgeBaseId":"KBEXAMPLE1","modelArn":"arn:aws:bedrock:$R::foundation-model/anthropic.claude-haiku-4-5-20251001-v1:0"}}}"#)
        .data_of("AWS::Bedrock::KnowledgeBase", "arn:aws:bedrock:$R:$A:knowledge-base/KBEXAMPLE1")),
    (3_000, writes(Application, "bedrock", "InvokeAgent", r#"{"agentId":"AGENTEX001","agentAliasId":"ALIASEX001","sessionId":"~","inputText":"HIDDEN_DUE_TO_SECURITY_REASONS","enableTrace":false}"#)
        .data_of("AWS::Bedrock::AgentAlias", "arn:aws:bedrock:$R:$A:agent-alias/AGENTEX001/ALIASEX001")),
    (800, writes(Application, "bedrock", "InvokeFlow", r#"{"flowIdentifier":"FLOWEX0001","flowAliasIdentifier":"FALIASEX01"}"#)
        .data_of("AWS::Bedrock::FlowAlias", "arn:aws:bedrock:$R:$A:flow/FLOWEX0001/alias/FALIASEX01")),
    (400, reads(Application, "bedrock", "Rerank", r#"{"sources":"HIDDEN_DUE_TO_SECURITY_REASONS","rerankingConfiguration":{"type":"BEDROCK_RERANKING_MODEL","bedrockRerankingConfiguration":{"modelConfiguration":{"modelArn":"arn:aws:bedrock:$R::foundation-model/cohere.rerank-v3-5:0"}}}}"#)),
    (300, writes(Application, "bedrock", "CreateSession", "null").answers(r#"{"sessionId":"~","sessionArn":"arn:aws:bedrock:$R:$A:session/~","sessionStatus":"ACTIVE"}"#)),
    (300, writes(Application, "bedrock", "EndSession", r#"{"sessionIdentifier":"~"}"#)),
    (100, writes(Application, "bedrock", "StartAsyncInvoke", r#"{"modelId":"amazon.nova-reel-v1:0","outputDataConfig":{"s3OutputDataConfig":{"s3Uri":"s3://examplecorp-batch/video/"}}}"#)
        .data_of("AWS::Bedrock::Model", "arn:aws:bedrock:$R::foundation-model/amazon.nova-reel-v1:0")),
    (1_500, reads(ApiKey, "bedrock", "Converse", HAIKU).with(r#"{"callWithBearerToken":true,"inferenceRegion":"eu-north-1"}"#)),
    (1_200, writes(Application, "bedrock-mantle", "CreateInference", r#"{"model":"openai.gpt-oss-120b","stream":true,"project_id":"default"}"#)
        .data_of("AWS::BedrockMantle::Project", "arn:aws:bedrock-mantle:$R:$A:project/default")),
    (100, reads(Application, "bedrock-mantle", "GetInference", r#"{"responseId":"resp_~"}"#)
        .data_of("AWS::BedrockMantle::Project", "arn:aws:bedrock-mantle:$R:$A:project/default")),
    (60, reads(CommandLine, "bedrock-mantle", "ListModels", "null")),
    (3_000, writes(Application, "bedrock-agentcore", "InvokeAgentRuntime", r#"{"agentRuntimeArn":"arn:aws:bedrock-agentcore:$R:$A:runtime/support-ex4mple1ab","runtimeSessionId":"~","qualifier":"DEFAULT"}"#)
        .data_of("AWS::BedrockAgentCore::Runtime", "arn:aws:bedrock-agentcore:$R:$A:runtime/support-ex4mple1ab")),
    (2_000, reads(AgentCoreAgent, "bedrock", "ConverseStream", SONNET).with(ANSWERED)),
    (700, writes(AgentCoreAgent, "bedrock-agentcore", "GetWorkloadAccessToken", r#"{"workloadName":"support"}"#).answers(r#"{"workloadAccessToken":"HIDDEN_DUE_TO_SECURITY_REASONS"}"#)),
    (400, reads(AgentCoreAgent, "bedrock-agentcore", "GetResourceOauth2Token", r#"{"workloadIdentityToken":"HIDDEN_DUE_TO_SECURITY_REASONS","resourceCredentialProviderName":"crm","scopes":["orders/read"],"oauth2Flow":"M2M"}"#)),
    (500, writes(AgentCoreAgent, "bedrock-agentcore", "CreateEvent", r#"{"memoryId":"support_mem-ex4mple1ab","actorId":"customer-~","sessionId":"~"}"#)
        .data_of("AWS::BedrockAgentCore::Memory", "arn:aws:bedrock-agentcore:$R:$A:memory/support_mem-ex4mple1ab")),
    (300, reads(AgentCoreAgent, "bedrock-agentcore", "RetrieveMemoryRecords", r#"{"memoryId":"support_mem-ex4mple1ab","namespace":"/customers/~"}"#)
        .data_of("AWS::BedrockAgentCore::Memory", "arn:aws:bedrock-agentcore:$R:$A:memory/support_mem-ex4mple1ab")),
    (200, writes(AgentCoreAgent, "bedrock-agentcore", "StartCodeInterpreterSession", r#"{"codeInterpreterIdentifier":"aws.codeinterpreter.v1","sessionTimeoutSeconds":900}"#)),
    (200, writes(AgentCoreAgent, "bedrock-agentcore", "StopCodeInterpreterSession", r#"{"codeInterpreterIdentifier":"aws.codeinterpreter.v1","sessionId":"~"}"#)),
    (100, writes(AgentCoreAgent, "bedrock-agentcore", "StartBrowserSession", r#"{"browserIdentifier":"aws.browser.v1","sessionTimeoutSeconds":900}"#)),
    (300, reads(AgentCoreAgent, "ecr", "GetAuthorizationToken", "null")),
    (300, writes(AgentCoreAgent, "logs", "CreateLogStream", r#"{"logGroupName":"/aws/bedrock-agentcore/runtimes/support-ex4mple1ab-DEFAULT","logStreamName":"2026/11/19/[runtime-logs]~"}"#)),
    (300, reads(AgentCoreAgent, "secretsmanager", "GetSecretValue", r#"{"secretId":"prod/support/crm"}"#)),
    (1_500, writes(TokenBearer, "bedrock-agentcore", "InvokeGateway", r#"{"body":{"id":1,"method":"tools/call","params":{"name":"OrdersTarget___look_up_order","arguments":"REDACTED"},"jsonrpc":"2.0"}}"#)
        .answers(r#"{"body":{"jsonrpc":"2.0","id":1,"result":{"isError":false,"content":"REDACTED"}},"contentType":"application/json","statusCode":200}"#).with(TOKEN).data_of(GATEWAY.0, GATEWAY.1)),
    (40, writes(TokenBearer, "bedrock-agentcore", "InvokeGateway", r#"{"body":{"id":1,"method":"tools/list","jsonrpc":"2.0"}}"#)
        .answers(r#"{"body":{"jsonrpc":"2.0","id":1,"error":{"code":-32001,"message":"Token has expired"}},"contentType":"application/json","statusCode":401}"#).data_of(GATEWAY.0, GATEWAY.1)),
    // People in the console, who open a page and are shown twenty lists.
    (800, reads(Person, "bedrock", "ListFoundationModels", "null")),
    (500, reads(Person, "bedrock", "ListInferenceProfiles", r#"{"maxResults":100}"#)),
    (400, reads(Person, "bedrock", "ListGuardrails", "null")),
    (300, reads(Person, "bedrock", "GetGuardrail", r#"{"guardrailIdentifier":"gr4example7k2","guardrailVersion":"DRAFT"}"#)),
    (300, reads(Person, "bedrock", "ListAgents", "null")),
    (300, reads(Person, "bedrock", "GetAgent", r#"{"agentId":"AGENTEX001"}"#)),
    (300, reads(Person, "bedrock", "ListKnowledgeBases", "null")),
    (200, reads(Person, "bedrock", "GetModelInvocationLoggingConfiguration", "null")),
    (200, reads(Person, "bedrock", "GetUseCaseForModelAccess", "null")),
    (200, reads(Person, "bedrock", "ListCustomModels", "null")),
    (200, reads(Person, "bedrock", "ListProvisionedModelThroughputs", "null")),
    (100, reads(Person, "bedrock", "GetUseCaseForModelAccess", "null").fails("ResourceNotFoundException", "No use case was found.")),
    (100, reads(Person, "bedrock", "ListModelInvocationJobs", "null").fails("AccessDenied", "User: arn:aws:sts::$A:assumed-role/AWSReservedSSO_Developer_0example0/jane.doe@example.com is not authorized to perform: bedrock:ListModelInvocationJobs because no identity-based policy allows the bedrock:ListModelInvocationJobs action")),
    (300, reads(Person, "bedrock", "ConverseStream", SONNET).with(ANSWERED)),
    (40, reads(Person, "bedrock", "Converse", SONNET).fails("AccessDenied", "You don't have access to the model with the specified model ID.")),
    (200, reads(CommandLine, "bedrock", "Converse", HAIKU).with(ANSWERED)),
    (200, reads(Person, "bedrock-agentcore", "ListAgentRuntimes", r#"{"maxResults":100}"#)),
    (200, reads(Person, "bedrock-agentcore", "ListGateways", r#"{"maxResults":100}"#)),
    // Infrastructure as code, which looks far more often than it changes.
    (600, reads(Pipeline, "bedrock", "GetAgent", r#"{"agentId":"AGENTEX001"}"#)),
    (600, reads(Pipeline, "bedrock", "GetKnowledgeBase", r#"{"knowledgeBaseId":"KBEXAMPLE1"}"#)),
    (400, reads(Pipeline, "bedrock", "GetDataSource", r#"{"knowledgeBaseId":"KBEXAMPLE1","dataSourceId":"DSEXAMPLE1"}"#)),
    (400, reads(Pipeline, "bedrock", "ListTagsForResource", r#"{"resourceARN":"arn:aws:bedrock:$R:$A:guardrail/gr4example7k2"}"#)),
    (400, reads(Pipeline, "bedrock", "GetModelInvocationLoggingConfiguration", "null")),
    (300, reads(Pipeline, "bedrock-agentcore", "GetGateway", r#"{"gatewayIdentifier":"orders-gw-ex4mple1ab"}"#)),
    // A posture scanner, which asks for everything everywhere and may not see all of it.
    (300, reads(Scanner, "bedrock", "ListGuardrails", "null")),
    (300, reads(Scanner, "bedrock", "GetModelInvocationLoggingConfiguration", "null")),
    (300, reads(Scanner, "bedrock", "ListAgents", "null")),
    (300, reads(Scanner, "bedrock", "ListCustomModels", "null")),
    (200, reads(Scanner, "bedrock-agentcore", "ListAgentRuntimes", "null").fails("AccessDenied", "User: arn:aws:sts::$A:assumed-role/SecurityAudit/posture-scan is not authorized to perform: bedrock-agentcore:ListAgentRuntimes because no identity-based policy allows the bedrock-agentcore:ListAgentRuntimes action")),
    (200, reads(Scanner, "bedrock", "ListImportedModels", "null").fails("AccessDenied", "User: arn:aws:sts::$A:assumed-role/SecurityAudit/posture-scan is not authorized to perform: bedrock:ListImportedModels because no identity-based policy allows the bedrock:ListImportedModels action")),
];
