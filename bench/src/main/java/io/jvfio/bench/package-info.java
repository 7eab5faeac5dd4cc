// SPDX-License-Identifier: Apache-2.0
/**
 * Figures as ratios: what jvfio does against a C peer doing the same work in the same run.
 *
 * <p>Each benchmark's invocation runs a batch in Java and then the same batch in C, each timed by
 * itself, so that whatever the machine does meanwhile it does to both.
 */
@org.jspecify.annotations.NullMarked
package io.jvfio.bench;
