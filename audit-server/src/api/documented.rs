//! The endpoints with what they share: the parameters of a query, and the key.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use poem::{EndpointExt, endpoint::BoxEndpoint, http::Method};
use poem_openapi::{
    OpenApi,
    registry::{MetaApi, MetaOperation, MetaSchema, MetaSchemaRef, MetaSecurityScheme, Registry},
};
use serde_json::json;

use super::{State, guard::Guard, handlers::Api, parameters};
use crate::{query::View, report::Which, store::Table};

/// What needs no key. Everything else does.
const PUBLIC: &[&str] = &["/health"];

/// What takes the parameters of a query, and what it looks at.
const QUERIES: &[(&str, View)] = &[
    ("/audit/logs", View::Database(Table::Logs)),
    ("/audit/security-events", View::Database(Table::Security)),
    ("/audit/financial", View::Database(Table::Financial)),
    ("/audit/redis", View::Redis),
    ("/audit/combined", View::Combined),
];

/// What has parameters of its own beside the filters.
const EXPORT: &str = "/audit/export";

/// The same.
const STATS: &str = "/audit/stats";

/// The reports.
const REPORTS: &[(&str, Which)] = &[
    ("/audit/reports/security", Which::Security),
    ("/audit/reports/trading", Which::Trading),
    ("/audit/reports/compliance", Which::Compliance),
    ("/audit/anomalies", Which::Anomalies),
];

/// What is always there and may be `null`, which poem's `Option` does not tell from absent.
const NULLABLE: &[(&str, &str)] = &[
    ("Page", "next_cursor"),
    ("CombinedPage", "next_cursor"),
    ("DatabaseDetail", "newest_record"),
    ("Export", "ended"),
    ("ReadModelDetail", "lag_seconds"),
    ("ReadModelDetail", "trouble"),
];

/// Answers that are made by serde: each member is there, and what poem takes for optional is `null`.
const WHOLE: &[&str] = &["SecurityReport", "TradingReport", "Compliance", "Anomalies", "Stats"];

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
        for root in WHOLE {
            make_whole(registry, root);
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

/// Says of the schema, and of all that it refers to, that what may be absent is `null` instead.
fn make_whole(registry: &mut Registry, root: &str) {
    let mut names = vec![root.to_owned()];
    let mut seen = BTreeSet::new();
    while let Some(name) = names.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        let Some(schema) = registry.schemas.get_mut(&name) else { continue };
        let MetaSchema { properties, required, .. } = schema;
        for (property, of) in properties {
            references(of, &mut names);
            if required.contains(property) {
                continue;
            }
            required.push(property);
            match of {
                MetaSchemaRef::Inline(schema) => schema.nullable = true,
                MetaSchemaRef::Reference(_) => {
                    let all_of = vec![of.clone()];
                    let schema = MetaSchema { nullable: true, all_of, ..MetaSchema::ANY };
                    *of = MetaSchemaRef::Inline(Box::new(schema));
                }
            }
        }
    }
}

/// The names of the schemas that it refers to.
fn references(schema: &MetaSchemaRef, names: &mut Vec<String>) {
    match schema {
        MetaSchemaRef::Reference(name) => names.push(name.clone()),
        MetaSchemaRef::Inline(schema) => {
            let parts = [&schema.any_of, &schema.one_of, &schema.all_of];
            let inner = schema.items.iter().chain(&schema.additional_properties);
            let inner = inner.map(|inner| &**inner).chain(parts.into_iter().flatten());
            inner.for_each(|inner| references(inner, names));
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
            parameter.schema = MetaSchemaRef::Inline(Box::new(MetaSchema {
                example: Some(example),
                ..MetaSchema::new_with_format("string", "uuid")
            }));
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
    if let Some((_, view)) = QUERIES.iter().find(|(query, _)| *query == path) {
        operation.params.extend(parameters::of(*view));
    }
    match path {
        EXPORT => operation.params.extend(parameters::of_export()),
        STATS => operation.params.extend(parameters::of_stats()),
        _ => {}
    }
    if let Some((_, which)) = REPORTS.iter().find(|(report, _)| *report == path) {
        operation.params.extend(parameters::of_report(*which));
    }
}
