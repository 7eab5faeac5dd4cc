// SPDX-License-Identifier: Apache-2.0
/** The values that options and parameters have, and how they are read. */
package io.jvfio.cli.option;
