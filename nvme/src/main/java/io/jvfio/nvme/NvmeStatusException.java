// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import java.io.Serial;
import org.jspecify.annotations.Nullable;

/**
 * The controller carried out a command and completed it with an error. The controller goes on;
 * other commands are not affected.
 *
 * <p>Source: NVM Express Base Specification, "Status Field Definition"; NVM Command Set
 * Specification, "Status Codes".
 */
public final class NvmeStatusException extends RuntimeException {
  @Serial private static final long serialVersionUID = 1;

  /** The status of a command that did what it should. */
  static final int SUCCESS = 0;

  /** Status type 3, code 0x71: how this driver ends commands when the controller was stopped. */
  static final int ABORTED_BY_HOST = 0x371;

  private static final int DO_NOT_RETRY = 1 << 14;
  private static final int TYPE_AND_CODE = 0x7ff;
  private static final int GENERIC = 0;
  private static final int MEDIA = 2;
  private static final int COMPARE_FAILURE = 0x285;

  /** Command Abort Requested, and the three that follow: someone wanted the command to end. */
  private static final int FIRST_ABORT = 0x007;

  private static final int LAST_ABORT = 0x00a;

  private final String command;
  private final String subject;
  private final int status;

  /**
   * A failed command.
   *
   * @param command the command's name, such as {@code Read}
   * @param subject what it was for, such as a device and a range of blocks
   * @param status the status field without the phase tag
   */
  NvmeStatusException(String command, String subject, int status) {
    this(command, subject, status, null);
  }

  /**
   * A command that failed because of something else.
   *
   * @param why what that is; null if it is not known
   */
  NvmeStatusException(
      String command, String subject, int status, @Nullable NvmeClosedException why) {
    super(
        "%s of %s failed: %s (status type 0x%x, code 0x%02x%s)"
                .formatted(
                    command,
                    subject,
                    name(status),
                    type(status),
                    code(status),
                    (status & DO_NOT_RETRY) == 0 ? "" : ", do not retry")
            + (why == null ? "" : "; " + why.getMessage()),
        why);
    this.command = command;
    this.subject = subject;
    this.status = status;
  }

  /** The name of the command that failed, as in the specification. */
  public String command() {
    return command;
  }

  /** The object of the command: the device, and the namespace and blocks where it has them. */
  public String subject() {
    return subject;
  }

  /** Status code type: 0 generic, 1 specific to the command, 2 media and data, 7 vendor's own. */
  public int statusType() {
    return type(status);
  }

  /** Status code, 0 to 255; its meaning depends on {@link #statusType()}. */
  public int statusCode() {
    return code(status);
  }

  /** The status in words. */
  public String statusName() {
    return name(status);
  }

  /** Whether the same command would fail again. */
  public boolean doNotRetry() {
    return (status & DO_NOT_RETRY) != 0;
  }

  /** Whether a Compare found a difference. */
  boolean isCompareFailure() {
    return (status & TYPE_AND_CODE) == COMPARE_FAILURE;
  }

  /** Whether a command that ended with this may do better the second time. */
  static boolean isRetryable(int status) {
    int typeAndCode = status & TYPE_AND_CODE;
    return (status & DO_NOT_RETRY) == 0
        && typeAndCode != 0
        && typeAndCode != COMPARE_FAILURE
        && !isAbort(status)
        && (type(status) == GENERIC || type(status) == MEDIA);
  }

  /** Whether a command was ended because somebody wanted that, this driver included. */
  static boolean isAbort(int status) {
    int typeAndCode = status & TYPE_AND_CODE;
    return typeAndCode == ABORTED_BY_HOST
        || (typeAndCode >= FIRST_ABORT && typeAndCode <= LAST_ABORT);
  }

  private static int type(int status) {
    return (status >> 8) & 0x7;
  }

  private static int code(int status) {
    return status & 0xff;
  }

  static String name(int status) {
    return switch (status & TYPE_AND_CODE) {
      case 0x000 -> "Successful Completion";
      case 0x001 -> "Invalid Command Opcode";
      case 0x002 -> "Invalid Field in Command";
      case 0x003 -> "Command ID Conflict";
      case 0x004 -> "Data Transfer Error";
      case 0x005 -> "Commands Aborted due to Power Loss Notification";
      case 0x006 -> "Internal Error";
      case 0x007 -> "Command Abort Requested";
      case 0x008 -> "Command Aborted due to SQ Deletion";
      case 0x009 -> "Command Aborted due to Failed Fused Command";
      case 0x00a -> "Command Aborted due to Missing Fused Command";
      case 0x00b -> "Invalid Namespace or Format";
      case 0x00c -> "Command Sequence Error";
      case 0x00d -> "Invalid SGL Segment Descriptor";
      case 0x00e -> "Invalid Number of SGL Descriptors";
      case 0x00f -> "Data SGL Length Invalid";
      case 0x010 -> "Metadata SGL Length Invalid";
      case 0x011 -> "SGL Descriptor Type Invalid";
      case 0x012 -> "Invalid Use of Controller Memory Buffer";
      case 0x013 -> "PRP Offset Invalid";
      case 0x014 -> "Atomic Write Unit Exceeded";
      case 0x015 -> "Operation Denied";
      case 0x016 -> "SGL Offset Invalid";
      case 0x018 -> "Host Identifier Inconsistent Format";
      case 0x019 -> "Keep Alive Timer Expired";
      case 0x01a -> "Keep Alive Timeout Invalid";
      case 0x01b -> "Command Aborted due to Preempt and Abort";
      case 0x01c -> "Sanitize Failed";
      case 0x01d -> "Sanitize In Progress";
      case 0x01e -> "SGL Data Block Granularity Invalid";
      case 0x01f -> "Command Not Supported for Queue in CMB";
      case 0x020 -> "Namespace is Write Protected";
      case 0x021 -> "Command Interrupted";
      case 0x022 -> "Transient Transport Error";
      case 0x023 -> "Command Prohibited by Command and Feature Lockdown";
      case 0x024 -> "Admin Command Media Not Ready";
      case 0x080 -> "LBA Out of Range";
      case 0x081 -> "Capacity Exceeded";
      case 0x082 -> "Namespace Not Ready";
      case 0x083 -> "Reservation Conflict";
      case 0x084 -> "Format In Progress";
      case 0x100 -> "Completion Queue Invalid";
      case 0x101 -> "Invalid Queue Identifier";
      case 0x102 -> "Invalid Queue Size";
      case 0x103 -> "Abort Command Limit Exceeded";
      case 0x105 -> "Asynchronous Event Request Limit Exceeded";
      case 0x106 -> "Invalid Firmware Slot";
      case 0x107 -> "Invalid Firmware Image";
      case 0x108 -> "Invalid Interrupt Vector";
      case 0x109 -> "Invalid Log Page";
      case 0x10a -> "Invalid Format";
      case 0x10b -> "Firmware Activation Requires Conventional Reset";
      case 0x10c -> "Invalid Queue Deletion";
      case 0x10d -> "Feature Identifier Not Saveable";
      case 0x10e -> "Feature Not Changeable";
      case 0x10f -> "Feature Not Namespace Specific";
      case 0x110 -> "Firmware Activation Requires NVM Subsystem Reset";
      case 0x111 -> "Firmware Activation Requires Controller Level Reset";
      case 0x112 -> "Firmware Activation Requires Maximum Time Violation";
      case 0x113 -> "Firmware Activation Prohibited";
      case 0x114 -> "Overlapping Range";
      case 0x115 -> "Namespace Insufficient Capacity";
      case 0x116 -> "Namespace Identifier Unavailable";
      case 0x118 -> "Namespace Already Attached";
      case 0x119 -> "Namespace Is Private";
      case 0x11a -> "Namespace Not Attached";
      case 0x11b -> "Thin Provisioning Not Supported";
      case 0x11c -> "Controller List Invalid";
      case 0x11d -> "Device Self-test In Progress";
      case 0x11e -> "Boot Partition Write Prohibited";
      case 0x11f -> "Invalid Controller Identifier";
      case 0x120 -> "Invalid Secondary Controller State";
      case 0x121 -> "Invalid Number of Controller Resources";
      case 0x122 -> "Invalid Resource Identifier";
      case 0x123 -> "Sanitize Prohibited While Persistent Memory Region is Enabled";
      case 0x124 -> "ANA Group Identifier Invalid";
      case 0x125 -> "ANA Attach Failed";
      case 0x180 -> "Conflicting Attributes";
      case 0x181 -> "Invalid Protection Information";
      case 0x182 -> "Attempted Write to Read Only Range";
      case 0x183 -> "Command Size Limit Exceeded";
      case 0x280 -> "Write Fault";
      case 0x281 -> "Unrecovered Read Error";
      case 0x282 -> "End-to-end Guard Check Error";
      case 0x283 -> "End-to-end Application Tag Check Error";
      case 0x284 -> "End-to-end Reference Tag Check Error";
      case 0x285 -> "Compare Failure";
      case 0x286 -> "Access Denied";
      case 0x287 -> "Deallocated or Unwritten Logical Block";
      case 0x288 -> "End-to-End Storage Tag Check Error";
      case 0x300 -> "Internal Path Error";
      case 0x301 -> "Asymmetric Access Persistent Loss";
      case 0x302 -> "Asymmetric Access Inaccessible";
      case 0x303 -> "Asymmetric Access Transition";
      case 0x360 -> "Controller Pathing Error";
      case 0x370 -> "Host Pathing Error";
      case ABORTED_BY_HOST -> "Command Aborted By Host";
      default ->
          switch (type(status)) {
            case 0 -> "Generic Command Status";
            case 1 -> "Command Specific Status";
            case 2 -> "Media and Data Integrity Error";
            case 3 -> "Path Related Status";
            case 7 -> "Vendor Specific Status";
            default -> "Reserved Status";
          };
    };
  }
}
