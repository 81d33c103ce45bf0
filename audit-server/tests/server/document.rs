//! The OpenAPI document and the page that shows it.

use std::path::Path;

use audit_layer::record::Member;
use serde_json::Value;

use super::support::{Fixture, Redis, event};

#[test]
fn the_openapi_document_is_the_golden_file() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let document = audit_server::openapi_document();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &document).unwrap();
    }
    let kept = std::fs::read_to_string(&golden).unwrap_or_default();
    assert!(
        document == kept,
        "the document differs from {}: `UPDATE_GOLDEN=1 cargo test -p audit-server` rewrites it",
        golden.display()
    );
}

#[test]
fn the_server_serves_that_document() {
    let fixture = Fixture::start(|_| {});
    let answer = fixture.server.send("GET", "/openapi.json", &[]);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body, audit_server::openapi_document());
}

#[test]
fn every_member_of_a_record_is_documented() {
    let document: Value = serde_json::from_str(&audit_server::openapi_document()).unwrap();
    let properties = &document["components"]["schemas"]["Record"]["properties"];
    for name in Member::ALL.iter().map(|member| member.name()).chain(["hash"]) {
        assert!(properties[name]["description"].is_string(), "{name}");
    }
    assert_eq!(properties.as_object().unwrap().len(), Member::COUNT + 1);
}

#[test]
fn every_parameter_is_described_and_has_an_example_that_is_accepted() {
    let redis = Redis::start();
    let (fixture, mut trail) =
        Fixture::with_trail(|config| config.redis_url = Some(redis.url().parse().unwrap()));
    // As many as the example of a cursor has behind it.
    trail.write_all((0..50).map(|at| event("auth.login", at)));
    let document: Value = serde_json::from_str(&audit_server::openapi_document()).unwrap();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let all: Vec<_> = operation["parameters"].as_array().into_iter().flatten().collect();
            for parameter in &all {
                let told = format!("{path} {}", parameter["name"]);
                assert!(!parameter["description"].as_str().unwrap().is_empty(), "{told}");
                assert_ne!(example(parameter), &Value::Null, "{told}");
                let sent = |other: &&&Value| other == &parameter || other["required"] == true;
                let address = address_of(path, all.iter().filter(sent).copied());
                // What is not there is looked for once all else was read.
                let by_id = path.contains('{');
                let after_none = parameter["name"] == "after";
                let method = method.to_uppercase();
                let mut headers = vec![("x-api-key", &*fixture.key)];
                if method == "POST" {
                    headers.push(("content-length", "0"));
                }
                let answer = fixture.server.send(&method, &address, &headers);
                let accepted = answer.status == 200
                    || (by_id && answer.status == 404)
                    || (after_none && answer.body.contains("no record has this id"));
                assert!(accepted, "{address}: {}", answer.body);
            }
        }
    }
}

/// The example of a parameter, wherever it stands.
fn example(parameter: &Value) -> &Value {
    if parameter["example"].is_null() {
        &parameter["schema"]["example"]
    } else {
        &parameter["example"]
    }
}

/// The address of a request with the examples of these parameters.
fn address_of<'p>(path: &str, parameters: impl Iterator<Item = &'p Value>) -> String {
    let text = |value: &Value| value.as_str().map_or(value.to_string(), str::to_owned);
    let mut path = path.to_owned();
    let mut query = form_urlencoded::Serializer::new(String::new());
    for parameter in parameters {
        let name = parameter["name"].as_str().unwrap();
        match example(parameter) {
            value if parameter["in"] == "path" => {
                path = path.replace(&format!("{{{name}}}"), &text(value));
            }
            Value::Array(items) => {
                query.extend_pairs(items.iter().map(|item| (name, text(item))));
            }
            Value::Object(members) => {
                let member = |(key, value)| (format!("{name}[{key}]"), text(value));
                query.extend_pairs(members.iter().map(member));
            }
            value => {
                query.append_pair(name, &text(value));
            }
        }
    }
    format!("{path}?{}", query.finish()).trim_end_matches('?').to_owned()
}

#[test]
fn swagger_ui_comes_from_the_binary_and_allows_no_other_script() {
    let fixture = Fixture::start(|_| {});
    let answer = fixture.server.send("GET", "/docs", &[]);
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").unwrap().starts_with("text/html"));
    assert!(!answer.body.contains("src=\"http") && !answer.body.contains("href=\"http"));
    let policy = answer.header("content-security-policy").unwrap();
    let scripts = policy.split(';').find(|part| part.trim().starts_with("script-src")).unwrap();
    assert_eq!(scripts.matches("'sha256-").count(), 2, "{scripts}");
    assert!(!scripts.contains("unsafe"), "{scripts}");
    assert!(answer.body.contains("\"securitySchemes\""), "the Authorize button needs them");
}
