/** The page in a real browser: one process, so that all tests share it. tests/page/test_browser.py
 * runs them. */
import "./views.ts";
import "./rows.ts";
import "./live.ts";
import "./real.ts";
