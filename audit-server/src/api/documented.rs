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

use super::{
    State,
    guard::{Guard, Recorded},
    handlers::Api,
    keys, methods, parameters,
};
use crate::{
    auth::{Role, Scope},
    query::View,
    report::Which,
    store::Table,
};

/// What needs no key.
const PUBLIC: &[&str] = &["/health"];

/// What is not in the document.
const PAGES: [&str; 2] = ["/docs", "/openapi.json"];

/// What each of the others asks for. What is in neither list is served to nobody.
const NEEDED: &[(&str, Scope)] = &[
    (HEALTH_DETAIL, Scope::Read),
    ("/audit/logs", Scope::Read),
    ("/audit/logs/{id}", Scope::Read),
    ("/audit/security-events", Scope::Read),
    ("/audit/financial", Scope::Read),
    ("/audit/redis", Scope::Read),
    ("/audit/combined", Scope::Read),
    (STATS, Scope::Read),
    ("/audit/reports/security", Scope::Report),
    ("/audit/reports/trading", Scope::Report),
    (COMPLIANCE, Scope::Report),
    ("/audit/anomalies", Scope::Report),
    (EXPORT, Scope::Export),
    ("/audit/exports/{id}", Scope::Export),
    (KEYS, Scope::Admin),
    ("/audit/keys/{key}", Scope::Admin),
    (ROTATE, Scope::Admin),
];

/// The path in the document and what it asks for, be it given as the document has it, `/audit/logs/{id}`, or as the router calls it,
/// `/audit/logs/:param0`.
fn needed(path: &str) -> Option<(&'static str, Scope)> {
    fn parts(path: &str) -> impl Iterator<Item = &str> {
        path.split('/').map(|part| if part.starts_with([':', '{']) { "*" } else { part })
    }
    NEEDED.iter().find(|(known, _)| parts(known).eq(parts(path))).copied()
}

/// What is about the whole trail: its streams, how far it is behind, whether its chain is whole. Nobody has it who sees
/// the records of one tenant.
const OF_WHOLE_TRAIL: &[&str] = &[HEALTH_DETAIL, COMPLIANCE];

/// The path in the document, or of the documentation, that the path of a request is one of.
pub(super) fn route(path: &str) -> Option<&'static str> {
    let all = NEEDED.iter().map(|(known, _)| known).chain(PUBLIC).chain(&PAGES);
    all.copied().find(|known| methods::is_at(path, known))
}

/// Which answers the guard records.
fn recorded(path: &str, method: &Method) -> Recorded {
    match path {
        HEALTH_DETAIL => Recorded::None,
        EXPORT => Recorded::Errors,
        _ if path.starts_with(KEYS) && *method != Method::GET => Recorded::Errors,
        _ => Recorded::All,
    }
}

const HEALTH_DETAIL: &str = "/health/detail";
const COMPLIANCE: &str = "/audit/reports/compliance";
const KEYS: &str = "/audit/keys";
const ROTATE: &str = "/audit/keys/{key}/rotate";

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
    (COMPLIANCE, Which::Compliance),
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
    ("Key", "tenant"),
    ("Key", "expires"),
    ("Key", "revoked"),
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
                if let Some((_, scope)) = needed(&path.path) {
                    let either = |name| HashMap::from([(name, vec![])]);
                    operation.security = vec![either("bearer"), either("api_key")];
                    let roles = Role::ALL.into_iter().filter(|role| role.may(scope));
                    let roles: Vec<_> = roles.map(|role| format!("`{role}`")).collect();
                    let whole = match OF_WHOLE_TRAIL.contains(&&*path.path) {
                        true => " Not for credentials of one tenant.",
                        false => "",
                    };
                    let needs = format!("Needs `{scope}`: {}.{whole}", roles.join(", "));
                    let description = match operation.description {
                        Some(told) => format!("{told}\n\n{needs}"),
                        None => needs,
                    };
                    operation.description = Some(description.leak());
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
            description: Some("A key, made with `audit-server keys create`."),
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
            let needed = needed(&path);
            if needed.is_none() && !PUBLIC.contains(&path.as_str()) {
                tracing::error!(path, "nobody is let in here: it is not said what it needs");
                continue;
            }
            let guarded = methods.into_iter().map(|(method, inner)| match needed {
                Some((route, needed)) => {
                    let (state, recorded) = (state.clone(), recorded(&path, &method));
                    let of_whole_trail = OF_WHOLE_TRAIL.contains(&route);
                    let guard = Guard { state, route, needed, of_whole_trail, recorded, inner };
                    (method, guard.boxed())
                }
                None => (method, inner),
            });
            let guarded = guarded.collect();
            routes.insert(path, guarded);
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
        if parameter.name == "key" {
            parameter.schema = MetaSchemaRef::Inline(Box::new(MetaSchema {
                example: Some(json!("ubevyf8p")),
                pattern: Some("^[a-km-np-z2-9]{8}$".to_owned()),
                ..MetaSchema::new("string")
            }));
        }
        if parameter.name == "id" {
            let example = json!("0193509c-3a5f-7cc1-8b5e-2f1f6f0a9d11");
            parameter.schema = MetaSchemaRef::Inline(Box::new(MetaSchema {
                example: Some(example),
                ..MetaSchema::new_with_format("string", "uuid")
            }));
        }
    }
    let public = PUBLIC.contains(&path);
    let by_id = operation.params.iter().any(|parameter| matches!(&*parameter.name, "id" | "key"));
    let makes = path == ROTATE || path == KEYS && operation.method == Method::POST;
    operation.responses.responses.retain(|response| match response.status {
        Some(401) => !public,
        Some(404) => by_id,
        Some(409) => makes,
        Some(406) => path == EXPORT,
        _ => true,
    });
    if let Some((_, view)) = QUERIES.iter().find(|(query, _)| *query == path) {
        operation.params.extend(parameters::of(*view));
    }
    match path {
        EXPORT => operation.params.extend(parameters::of_export()),
        STATS => operation.params.extend(parameters::of_stats()),
        KEYS if makes => operation.params.extend(parameters::of_keys(keys::MAKE)),
        ROTATE => operation.params.extend(parameters::of_keys(keys::ROTATE)),
        _ => {}
    }
    if let Some((_, which)) = REPORTS.iter().find(|(report, _)| *report == path) {
        operation.params.extend(parameters::of_report(*which));
    }
}
