// SPDX-License-Identifier: Apache-2.0
/**
 * The events of this module for Java Flight Recorder, and what all modules ask before they make
 * one. {@code docs/observability.md} lists them.
 */
package io.jvfio.jfr;
