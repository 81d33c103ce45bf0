//! The endpoints with what they share: the parameters of a query, and the key.

use std::{collections::HashMap, sync::Arc};

use poem::{EndpointExt, endpoint::BoxEndpoint, http::Method};
use poem_openapi::{
    OpenApi, ParameterStyle,
    registry::{
        MetaApi, MetaOperation, MetaOperationParam, MetaParamIn, MetaSchema, MetaSchemaRef,
        MetaSecurityScheme, Registry,
    },
};
use serde_json::{Value, json};

use super::{State, guard::Guard, handlers::Api};
use crate::{
    export,
    query::{Kind, MAX_LIMIT, PARAMETERS, Parameter},
};

/// What needs no key. Everything else does.
const PUBLIC: &[&str] = &["/health"];

/// What takes the parameters of a query.
const QUERIES: &[&str] = &[
    "/audit/logs",
    "/audit/security-events",
    "/audit/financial",
    "/audit/redis",
    "/audit/combined",
];

/// What has parameters of its own beside the filters.
const EXPORT: &str = "/audit/export";

/// What is always there and may be `null`, which poem's `Option` does not tell from absent.
const NULLABLE: &[(&str, &str)] = &[
    ("Page", "next_cursor"),
    ("CombinedPage", "next_cursor"),
    ("DatabaseDetail", "newest_record"),
    ("Export", "ended"),
];

/// [`Api`], guarded and documented. Without a state it is good for the document only.
pub(super) struct Documented {
    pub(super) state: Option<Arc<State>>,
}

impl OpenApi for Documented {
    fn meta() -> Vec<MetaApi> {
        let mut apis = Api::meta();
        for path in apis.iter_mut().flat_map(|api| &mut api.paths) {
            for operation in &mut path.operations {
                if !PUBLIC.contains(&path.path.as_str()) {
                    let either = |name| HashMap::from([(name, vec![])]);
                    operation.security = vec![either("bearer"), either("api_key")];
                }
                describe(&path.path, operation);
            }
        }
        apis
    }

    fn register(registry: &mut Registry) {
        Api::register(registry);
        for (schema, property) in NULLABLE {
            if let Some(schema) = registry.schemas.get_mut(*schema) {
                nullable(schema, property);
            }
        }
        let scheme = |ty| MetaSecurityScheme {
            ty,
            description: Some("An admin key, made with `audit-server keys create`."),
            name: None,
            key_in: None,
            scheme: None,
            bearer_format: None,
            flows: None,
            openid_connect_url: None,
        };
        let bearer = MetaSecurityScheme { scheme: Some("bearer"), ..scheme("http") };
        registry.create_security_scheme("bearer", bearer);
        let api_key = MetaSecurityScheme {
            name: Some("X-API-Key"),
            key_in: Some("header"),
            ..scheme("apiKey")
        };
        registry.create_security_scheme("api_key", api_key);
    }

    fn add_routes(self, routes: &mut HashMap<String, HashMap<Method, BoxEndpoint<'static>>>) {
        let Some(state) = self.state else { return };
        let mut open = HashMap::new();
        Api { state: state.clone() }.add_routes(&mut open);
        for (path, methods) in open {
            let public = PUBLIC.contains(&path.as_str());
            let guarded = methods.into_iter().map(|(method, inner)| {
                let endpoint =
                    if public { inner } else { Guard { state: state.clone(), inner }.boxed() };
                (method, endpoint)
            });
            routes.insert(path, guarded.collect());
        }
    }
}

fn nullable(schema: &mut MetaSchema, wanted: &'static str) {
    schema.required.push(wanted);
    for (name, property) in &mut schema.properties {
        if *name == wanted
            && let MetaSchemaRef::Inline(property) = property
        {
            property.nullable = true;
        }
    }
}

fn describe(path: &str, operation: &mut MetaOperation) {
    for parameter in &mut operation.params {
        if parameter.name == "id" {
            let example = json!("0193509c-3a5f-7cc1-8b5e-2f1f6f0a9d11");
            parameter.schema = inline(MetaSchema {
                example: Some(example),
                ..MetaSchema::new_with_format("string", "uuid")
            });
        }
    }
    let public = PUBLIC.contains(&path);
    let by_id = operation.params.iter().any(|parameter| parameter.name == "id");
    operation.responses.responses.retain(|response| match response.status {
        Some(400 | 401) => !public,
        Some(404) => by_id,
        Some(406) => path == EXPORT,
        _ => true,
    });
    if QUERIES.contains(&path) {
        operation.params.extend(PARAMETERS.iter().map(|parameter| document(path, parameter)));
    }
    if path == EXPORT {
        let is_filter =
            |parameter: &&Parameter| !["order", "limit", "cursor"].contains(&parameter.name);
        let parameters = PARAMETERS.iter().filter(is_filter).chain(export::PARAMETERS);
        operation.params.extend(parameters.map(|parameter| document(path, parameter)));
    }
}

/// Examples stand in the description: as examples of the schema they would be filled in by Swagger
/// UI, all of them, and nobody asks that question.
fn document(path: &str, parameter: &Parameter) -> MetaOperationParam {
    let schema = match parameter.kind {
        Kind::Text => MetaSchema::new("string"),
        Kind::Texts => MetaSchema {
            items: Some(Box::new(inline(MetaSchema::new("string")))),
            ..MetaSchema::new("array")
        },
        Kind::Word(words) => MetaSchema {
            enum_items: words
                .iter()
                .filter(|word| parameter.name != "order" || order_is_known(path, word))
                .map(|word| Value::from(*word))
                .collect(),
            ..MetaSchema::new("string")
        },
        Kind::Leaves => MetaSchema {
            additional_properties: Some(Box::new(inline(MetaSchema::new("string")))),
            ..MetaSchema::new("object")
        },
        Kind::Limit => MetaSchema {
            default: Some(json!(crate::query::DEFAULT_LIMIT)),
            minimum: Some(1.0),
            maximum: Some(MAX_LIMIT as f64),
            ..MetaSchema::new("integer")
        },
        Kind::Count => MetaSchema { minimum: Some(1.0), ..MetaSchema::new("integer") },
    };
    let mut description = parameter.description.to_owned();
    if let Some(example) = parameter.example {
        description.push_str(&format!(" For example `{example}`."));
    }
    MetaOperationParam {
        name: parameter.name.to_owned(),
        schema: inline(schema),
        in_type: MetaParamIn::Query,
        description: Some(description),
        required: false,
        deprecated: false,
        explode: true,
        style: matches!(parameter.kind, Kind::Leaves).then_some(ParameterStyle::DeepObject),
    }
}

/// Redis keeps its lists newest first.
fn order_is_known(path: &str, order: &str) -> bool {
    order == "desc" || !["/audit/redis", "/audit/combined"].contains(&path)
}

fn inline(schema: MetaSchema) -> MetaSchemaRef {
    MetaSchemaRef::Inline(Box::new(schema))
}
