// SPDX-License-Identifier: Apache-2.0
/**
 * A served disk looked at from outside: processes that are killed, file systems that are full or
 * lose power, calls that fail; and what is left, by a checker that knows nothing of jvfio.
 */
package io.jvfio.lab.storage;
