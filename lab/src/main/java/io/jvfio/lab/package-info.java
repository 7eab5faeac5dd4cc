// SPDX-License-Identifier: Apache-2.0
/**
 * The same system calls on a real kernel and on the simulated host of the same name, compared call
 * by call.
 *
 * <p>A {@link io.jvfio.lab.Sequence} is data: steps with symbolic operands. A {@link
 * io.jvfio.lab.Runner} executes it on any kernel and yields one {@link io.jvfio.lab.Answer} per
 * step. Whatever refers to something that an earlier step did not produce has a defined meaning (no
 * descriptor, address zero), so that any subset of the steps is a sequence too: it can be
 * generated, and a failing one can be shortened.
 */
package io.jvfio.lab;
