//! Requests to the API, data that is looked at, and the care of the system.

use audit_layer::event_type;
use time::OffsetDateTime;
use tracing::{error, info, warn};

use super::{
    Desk,
    people::{AGENTS, CLIENTS, COMPLIANCE_OFFICER, DESK_ADMIN, RISK_OFFICER, TRADERS},
};

/// A program asks, and is answered.
pub(super) fn api_call(desk: &mut Desk, now: OffsetDateTime) {
    let client = desk.one_of(CLIENTS);
    let request = desk.request_of(client);
    let (method, path) = desk.one_of([
        ("GET", "/v1/positions"),
        ("GET", "/v1/quotes"),
        ("GET", "/v1/orders"),
        ("POST", "/v1/orders"),
        ("DELETE", "/v1/orders/open"),
        ("GET", "/v1/reports/daily"),
    ]);
    {
        let _span = request.enter();
        info!(
            target: "audit",
            event_type = event_type::API_REQUEST,
            action = method,
            status = "pending",
            resource = path,
            http.method = method,
            "Request received"
        );
    }
    let took = desk.took();
    let micros = i64::try_from(took).unwrap_or(i64::MAX);
    desk.later(now, time::Duration::microseconds(micros), move |desk, _| {
        let _span = request.enter();
        if desk.chance(4) {
            error!(
                target: "audit",
                event_type = event_type::API_ERROR,
                action = method,
                status = "error",
                resource = path,
                duration_us = took,
                http.method = method,
                http.status = desk.one_of([500, 502, 504]),
                "Request failed"
            );
        } else {
            info!(
                target: "audit",
                event_type = event_type::API_RESPONSE,
                action = method,
                status = "success",
                resource = path,
                duration_us = took,
                http.method = method,
                http.status = 200,
                bytes = desk.random.u32(80..40_000),
                "Request answered"
            );
        }
    });
}

/// Someone looks at data, changes it or takes it out.
pub(super) fn data_is_used(desk: &mut Desk, now: OffsetDateTime) {
    let [a, b, ..] = TRADERS;
    let who = desk.one_of([a, b, RISK_OFFICER, COMPLIANCE_OFFICER, COMPLIANCE_OFFICER]);
    desk.as_person(who, now, |desk, request| {
        let _span = request.enter();
        match desk.random.u32(..100) {
            0..35 => info!(
                target: "audit",
                event_type = event_type::DATA_READ,
                action = "read",
                status = "success",
                resource = format!("clients/c-{}", desk.random.u32(100..180)),
                duration_us = desk.took(),
                data_classification = "restricted",
                regulatory_flags.GDPR = true,
                fields = "name,address,risk_class",
                "Client data read"
            ),
            35..70 => info!(
                target: "audit",
                event_type = event_type::DATA_ACCESS,
                action = "search",
                status = "success",
                resource = desk.one_of(["positions", "orders", "reports/daily", "quotes"]),
                duration_us = desk.took(),
                data_classification = "internal",
                rows = desk.random.u32(1..500),
                "Data searched"
            ),
            70..85 => info!(
                target: "audit",
                event_type = event_type::DATA_UPDATE,
                action = "update",
                status = "success",
                resource = format!("clients/c-{}", desk.random.u32(100..180)),
                duration_us = desk.took(),
                data_classification = "restricted",
                regulatory_flags.GDPR = true,
                field = "risk_class",
                before = "medium",
                after = desk.one_of(["low", "high"]),
                "Client data changed"
            ),
            85..95 => warn!(
                target: "audit",
                event_type = event_type::DATA_EXPORT,
                action = "export",
                status = "success",
                resource = desk.one_of(["clients", "reports/trades", "reports/best-execution"]),
                duration_us = desk.took(),
                data_classification = "restricted",
                regulatory_flags.GDPR = true,
                regulatory_flags.MIFID2 = true,
                format = "csv",
                rows = desk.random.u32(100..20_000),
                "Data exported"
            ),
            _ => warn!(
                target: "audit",
                event_type = event_type::DATA_SECRET_ACCESS,
                action = "read",
                status = "success",
                resource = desk.one_of(["secrets/venue-a", "secrets/venue-b"]),
                duration_us = desk.took(),
                data_classification = "restricted",
                reason = "connection renewed",
                "Secret read"
            ),
        }
    });
}

/// An agent asks a model or a tool.
pub(super) fn agent_calls_a_tool(desk: &mut Desk, _: OffsetDateTime) {
    let agent = desk.one_of(AGENTS);
    let _span = desk.request_of(agent).enter();
    info!(
        target: "audit",
        event_type = event_type::AGENT_CALL,
        action = "call",
        status = if desk.chance(5) { "error" } else { "success" },
        resource = desk.one_of(["tools/order-book", "tools/news", "tools/volatility"]),
        duration_us = desk.took(),
        data_classification = "internal",
        "Agent called a tool"
    );
}

/// The administrator changes something.
pub(super) fn administration(desk: &mut Desk, now: OffsetDateTime) {
    desk.as_person(DESK_ADMIN, now, |desk, request| {
        let _span = request.enter();
        match desk.random.u32(..3) {
            0 => info!(
                target: "audit",
                event_type = event_type::ADMIN_CONFIG_CHANGED,
                action = "update",
                status = "success",
                resource = "config/limits",
                setting = "quotes_per_minute",
                before = 80,
                after = 100,
                "Configuration changed"
            ),
            1 => warn!(
                target: "audit",
                event_type = event_type::ADMIN_ROLE_CHANGED,
                action = "grant",
                status = "success",
                resource = "users/u-1004",
                role = desk.one_of(["trader", "senior-trader"]),
                regulatory_flags.SOX = true,
                "Role changed"
            ),
            _ => info!(
                target: "audit",
                event_type = event_type::ADMIN_ACTION,
                action = "restart",
                status = "success",
                resource = "services/order-gateway",
                duration_us = desk.took(),
                "Service restarted"
            ),
        }
    });
}

/// A program has a fault.
pub(super) fn exception(desk: &mut Desk, _: OffsetDateTime) {
    let client = desk.one_of(CLIENTS);
    let _span = desk.request_of(client).enter();
    error!(
        target: "audit",
        event_type = event_type::ERROR_EXCEPTION,
        status = "error",
        resource = format!("services/{}", client.username),
        exception = desk.one_of(["TimeoutError", "ConnectionReset", "ParseError"]),
        retried = true,
        "Unhandled exception"
    );
}
