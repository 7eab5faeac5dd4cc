// SPDX-License-Identifier: Apache-2.0
/**
 * Instruments between client and server: a tap, recordings, their replay, messages as text.
 *
 * @since 0.1.0
 */
package io.jvfio.user.tools;
