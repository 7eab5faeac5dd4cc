// SPDX-License-Identifier: Apache-2.0
/**
 * What the host is asked and what its answers mean: files, facts, sentences, and what is left to be
 * closed.
 */
package io.jvfio.kernel;
