// SPDX-License-Identifier: Apache-2.0
/** Interrupts by eventfd: vectors, lines, and the thread that waits for them. */
package io.jvfio.interrupt;
