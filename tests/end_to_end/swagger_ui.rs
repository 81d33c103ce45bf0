//! The documentation page in a real browser that can reach nothing but this machine.
//!
//! `make test` runs this where there is a chromedriver, and says so where there is none.

use tests::{browser::Browser, demo::Demo};

#[test]
#[ignore = "needs chromium and chromedriver; make test runs it where they are"]
fn in_a_browser_the_page_takes_a_key_and_executes_a_request() {
    let demo = Demo::start(&["--days", "2"], None);
    let browser = Browser::start();
    browser.go(demo.printed("Swagger UI"));

    // Without the key: a request is refused, and the page shows the problem.
    let operation = "#operations-default-logs";
    browser.click(&format!("{operation} .opblock-summary-control"));
    browser.click(&format!("{operation} .try-out__btn"));
    browser.click(&format!("{operation} .execute"));
    let status = format!(
        "const cell = document.querySelector('{operation} .live-responses-table \
         tbody .response-col_status'); return cell ? parseInt(cell.innerText) : null"
    );
    assert_eq!(browser.wait_for(&status), 401);
    // The page fills in no filter that nobody asked for: what it sends is the defaults.
    let sent = format!(
        "const url = document.querySelector('{operation} .request-url'); \
         return url ? url.innerText.trim() : null"
    );
    let sent = browser.wait_for(&sent);
    assert!(sent.as_str().unwrap().ends_with("/audit/logs?limit=100"), "{sent}");
    let body = format!(
        "const code = document.querySelector('{operation} .live-responses-table .microlight, \
         {operation} .live-responses-table pre'); return code ? code.innerText : null"
    );
    assert!(browser.wait_for(&body).as_str().unwrap().contains("problems/"), "{}", browser.text());
    // The browser reports every answer that is an error; nothing else may be wrong.
    let complaints = browser.complaints();
    assert!(complaints.iter().all(|said| said.contains("401")), "{complaints:#?}");

    browser.click(".btn.authorize");
    browser.enter(".auth-container input", demo.printed("Admin key"));
    browser.click(".auth-btn-wrapper .authorize");
    browser.click(".auth-btn-wrapper .btn-done");
    browser.click(&format!("{operation} .btn-clear"));
    browser.click(&format!("{operation} .execute"));
    let answer = browser.wait_for(&status);
    assert_eq!(answer, 200, "{}", browser.text());
    let records = browser.wait_for(&body);
    let records = records.as_str().unwrap();
    assert!(records.contains("\"records\"") && records.contains("\"prev_hash\""), "{records}");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}
