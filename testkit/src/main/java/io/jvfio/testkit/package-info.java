// SPDX-License-Identifier: Apache-2.0
/** Device models that only tests of several modules need. */
package io.jvfio.testkit;
