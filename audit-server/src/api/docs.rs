//! The documentation: the OpenAPI document, and Swagger UI, which is part of the binary and loads
//! nothing from elsewhere.
//!
//! poem puts the document raw into a `<script>`. No text of ours ends one, and none that is added
//! later can: `</` is escaped. The policy of the page names its scripts by their hashes, so that
//! even then nothing else would run. Styles may be inline, since Swagger UI sets them on elements.
//!
//! Swagger UI fills in the examples of all parameters when somebody presses "Try it out", optional
//! ones too, and of an object without one a made-up member; nobody asks that question. It does so
//! wherever an example stands, be it in the schema, in `example` or in `examples` of the parameter, of
//! which it takes the first. So the page takes the examples of optional parameters away from the
//! document before it shows it, and reads them in the descriptions; `examples` that are there and empty
//! keep it from making up an object.
//!
//! Both need no key and the page is 1.7 MB, so all answers share its bytes.

use base64::{Engine, engine::general_purpose::STANDARD};
use hyper::body::Bytes;
use poem::{
    Endpoint, Response,
    endpoint::make_sync,
    get,
    http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY},
};
use poem_openapi::OpenApiService;
use sha2::{Digest, Sha256};

use super::documented::Documented;

/// What the page does with the document before it shows it.
const NOTHING_FILLED_IN: &str = "(spec => {
    for (const operations of Object.values(spec.paths))
        for (const operation of Object.values(operations))
            for (const parameter of operation.parameters ?? [])
                if (!parameter.required) {
                    delete parameter.schema.example;
                    parameter.examples = {};
                }
    return spec;
})";

pub(super) fn document(document: String) -> impl Endpoint + 'static {
    let document = Bytes::from(document);
    get(make_sync(move |_| {
        Response::builder()
            .content_type("application/json")
            .header(CACHE_CONTROL, "no-cache")
            .body(document.clone())
    }))
}

pub(super) fn swagger_ui(service: &OpenApiService<Documented, ()>) -> impl Endpoint + 'static {
    let document = service.spec();
    let escaped = document.replace("</", "<\\/");
    let shown = format!("{NOTHING_FILLED_IN}({escaped})");
    let page = service.swagger_ui_html().replacen(&document, &shown, 1);
    let policy = policy(&page);
    let page = Bytes::from(page);
    get(make_sync(move |_| {
        Response::builder()
            .content_type("text/html; charset=utf-8")
            .header(CACHE_CONTROL, "no-cache")
            .header(CONTENT_SECURITY_POLICY, &policy)
            .body(page.clone())
    }))
}

fn policy(page: &str) -> String {
    let hashes: Vec<String> = scripts(page)
        .map(|script| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(script))))
        .collect();
    format!(
        "default-src 'none'; script-src {}; style-src 'unsafe-inline'; img-src data:; \
         font-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'",
        hashes.join(" ")
    )
}

/// What stands between `<script…>` and `</script>`, as a browser sees it.
fn scripts(page: &str) -> impl Iterator<Item = &str> {
    let mut rest = page;
    std::iter::from_fn(move || {
        let (_, tag) = rest.split_once("<script")?;
        let (_, body) = tag.split_once('>')?;
        let (script, after) = body.split_once("</script>")?;
        rest = after;
        Some(script)
    })
}
