// SPDX-License-Identifier: Apache-2.0
/**
 * The client: a device over a connection, its memory and interrupts, and what it says when it
 * fails.
 */
package io.jvfio.user.client;
