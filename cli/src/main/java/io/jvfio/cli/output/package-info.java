// SPDX-License-Identifier: Apache-2.0
/** What a command prints: text, tables, JSON, progress, pictures, and why it failed. */
package io.jvfio.cli.output;
