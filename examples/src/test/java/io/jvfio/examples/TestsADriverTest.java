// SPDX-License-Identifier: Apache-2.0
package io.jvfio.examples;

/** Runs the example. */
class TestsADriverTest extends TestsADriver {}
